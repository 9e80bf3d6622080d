"""The whole bridge under a virtual clock, with seeded talkers, operators and faults, and the invariants watched.

script    what happens from outside: who talks when, what operators and the world do   (from a seed)
house     the ports: channels behind a tuner, donor radios, links, and the voices they speak in
tuners    receiver workers and the wire to them; they die, hang, leak, are late, and lose their device
ears      donor radios
cards     the same behind sound cards whose clocks are off: the real ports, and their elastic buffers
onsets    whether sound came whole from one clock to another
links     speech in packets, and a network that loses, delays, doubles, reorders and holds them up
machine   clock, lines of the transmitters, a disk that can be full
world     engine, keyer guard, journal, state and clock, driven through a script
watch     the invariants of the design, held against every frame and every event
shrink    the shortest script that still breaks one
"""
