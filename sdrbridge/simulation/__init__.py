"""The whole bridge under a virtual clock, with seeded talkers, operators and faults, and the invariants watched.

script    what happens from outside: who talks when, what operators and the world do   (from a seed)
house     the ports: channels behind a tuner, donor radios, links, and the air they speak on
world     engine, keyer guard, journal and clock, driven through a script
watch     the invariants of the design, held against every frame and every event
shrink    the shortest script that still breaks one
"""
