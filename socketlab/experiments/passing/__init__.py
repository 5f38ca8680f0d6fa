"""What one process hands to another: descriptors in control data."""
