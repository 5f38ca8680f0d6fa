"""The rarer families: what their constants mean, what each is for, and what a kernel that has them answered."""
