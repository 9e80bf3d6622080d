"""`sdrbridge report`: what happened at an incident, from its journal."""

from argparse import Namespace

from sdrbridge.commands.journal import chosen
from sdrbridge.commands.output import print_json, print_table
from sdrbridge.incident import Incident, summarise
from sdrbridge.journalplace import find_journal
from sdrbridge.plainwords import seconds


def run(options: Namespace) -> int:
    """Print overs, ports, patches and trouble."""
    folder = find_journal(options.folder)
    incident = summarise(chosen(options, folder))
    if options.json:
        print_json({"journal": str(folder), **incident.to_dict()})
    else:
        _tables(incident)
    return 0


def _tables(incident: Incident) -> None:
    rows = [
        [
            _clock(over.wall),
            over.port,
            f"{over.duration_s:.1f}",
            f"{over.facts['ctcss_hz']} Hz" if "ctcss_hz" in over.facts else str(over.facts.get("dcs", "")),
            _whole(over.facts.get("snr_db")),
            ", ".join(over.heard_by) or "nobody",
            over.audio or "",
        ]
        for over in incident.overs
    ]
    columns = ["UTC", "port", "s", "tone", "SNR dB", "heard by", "recording"]
    print_table(f"{incident.site}: who spoke when", columns, rows, right=[2, 4])
    ports = [
        [
            name,
            str(p.overs),
            f"{p.spoken_s:.1f}",
            str(p.unheard),
            f"{p.keyed_s:.1f}",
            str(p.refused),
            f"{p.blocked_s:.1f}",
        ]
        for name, p in sorted(incident.ports.items())
    ]
    columns = ["port", "overs", "spoke s", "unheard", "keyed s", "refused", "waited s"]
    print_table("ports", columns, ports, right=[1, 2, 3, 4, 5, 6])
    patches = [
        [name, str(p.granted), str(p.refused), str(p.preempted), str(p.timed_out), f"{p.blocked_s:.1f}"]
        for name, p in sorted(incident.patches.items())
    ]
    columns = ["patch", "granted", "refused", "preempted", "timed out", "waited s"]
    print_table("floor", columns, patches, right=[1, 2, 3, 4, 5])
    changes = [
        [_clock(c["wall"]), name, c["what"], c["ports"], c["who"], c["note"]]
        for name, patch in incident.patches.items()
        for c in patch.changes
    ]
    if changes:
        print_table("what was done", ["UTC", "patch", "what", "ports", "who", "note"], sorted(changes))
    if incident.trouble:
        trouble = [[_clock(t["wall"]), t["event"], t["what"], t["reason"]] for t in incident.trouble]
        print_table("trouble", ["UTC", "", "what", "reason"], trouble)
    spoken = sum(port.spoken_s for port in incident.ports.values())
    print(
        f"{len(incident.overs)} overs, {seconds(spoken)} of speech, from {incident.first} to {incident.last}; "
        f"{incident.runs} starts, {incident.unclean} of them after a stop without an end"
    )


def _whole(value: object) -> str:
    return f"{value:.0f}" if isinstance(value, int | float) else ""


def _clock(wall: str) -> str:
    return wall.replace("T", " ")[:19]
