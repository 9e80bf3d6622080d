"""`sdrbridge devices`: what is attached."""

from argparse import Namespace
from dataclasses import asdict

from hw.devices import find_devices
from sdrbridge.commands.output import note, print_json, print_table


def run(options: Namespace) -> int:
    """Print the radios, sound cards and serial ports that are attached."""
    found = find_devices()
    if options.json:
        print_json(asdict(found))
        return 0
    if found.radios:
        print_table("radios", ["source", "what", ""], [[r.source, r.description, r.note] for r in found.radios])
    if found.sound_cards:
        cards = [[card.name, str(card.inputs), str(card.outputs)] for card in found.sound_cards]
        print_table("sound cards", ["name", "in", "out"], cards, right=[1, 2])
    if found.serial_ports:
        ports = [[str(port.path), str(port.device)] for port in found.serial_ports]
        print_table("serial ports", ["name", "device"], ports)
    if not (found.radios or found.sound_cards or found.serial_ports):
        print("No radio, sound card or serial port found. `sdrbridge doctor` says what may be in the way.")
    for remark in found.notes:
        note(remark)
    return 0
