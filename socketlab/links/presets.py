"""Ready-made links, with numbers that somebody has published: ``faulty_link(server, **satellite)``.

Each is a dict of keywords for a link of connections; its `datagrams` are those for datagrams, where what a stream
only notices as waiting is loss: ``faulty_link(udp, **train_ride.datagrams)``. Published are round trips; a latency is
one direction's, so it is half of that. Bandwidths were published in bits and are bytes per second here.
"""

from __future__ import annotations

from typing import Any

_MBIT = 1e6 / 8  # bytes per second


class Preset(dict[str, Any]):
    """Faults by name, and the sentence that says where the numbers come from."""

    def __init__(self, source: str, *, loss: float = 0.0, **faults: Any) -> None:
        super().__init__(faults)
        self.source = source  #: who published the numbers, and what was made of them
        self.datagrams: dict[str, Any] = {name: faults[name] for name in ("latency", "jitter") if name in faults}
        if loss:
            self.datagrams["loss"] = loss


loopback = Preset("Nothing is wrong: what is left is the way through the link itself.")

office_wifi = Preset(
    "Sui et al., Characterizing and Improving WiFi Latency in Large-Scale Operational Networks, MobiSys 2016 "
    "(doi 10.1145/2906388.2906393): over 47,000 devices on a campus the median latency of the Wi-Fi hop was 3 ms. "
    "Half of it in either direction, and as much jitter; their long tail (20 ms at the 90th percentile) is left out.",
    latency=0.0015,
    jitter=0.0015,
)

lte = Preset(
    "Google's Lighthouse, docs/throttling.md, 'Slow 4G': round trip 150 ms, 1.6 Mbit/s down, 750 kbit/s up, no loss; "
    "about the slowest quarter of 4G connections.",
    latency=0.075,
    up={"bandwidth": 0.75 * _MBIT},
    down={"bandwidth": 1.6 * _MBIT},
)

satellite = Preset(
    "A geostationary satellite. RFC 2488, section 2: up to 279.0 ms for ground to satellite to ground, so at least "
    "558 ms for the round trip; Testing LEO and GEO satellite services in Australia, APNIC blog, 2 May 2022: "
    "around 600 ms with what lies on the ground. Bandwidth: 25 Mbit/s down, 3 up, which the FCC called "
    "broadband in its 2015 Broadband Progress Report.",
    latency=0.3,
    up={"bandwidth": 3 * _MBIT},
    down={"bandwidth": 25 * _MBIT},
)

another_continent = Preset(
    "Verizon's service level agreement for its backbone: 90 ms at most for the round trip between New York and "
    "London, as a monthly average.",
    latency=0.045,
)

train_ride = Preset(
    "A mobile phone on a train: two logs of ping, published as gists. On a British train, 12 March 2011 "
    "(gist.github.com/mnem/867186), round trips took 102 ms at least and 320 ms at the third quartile of the first 13; "
    "on an Australian one, 18 September 2013 (gist.github.com/mattallen/6616283), 2.5 % of 3,885 were lost. Half of "
    "102 to 320 ms in either direction, evenly spread; the loss is shared by the two.",
    latency=0.1055,
    jitter=0.0545,
    loss=0.0125,
)

PRESETS: dict[str, Preset] = {
    "loopback": loopback,
    "office_wifi": office_wifi,
    "lte": lte,
    "satellite": satellite,
    "another_continent": another_continent,
    "train_ride": train_ride,
}
