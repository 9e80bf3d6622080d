"""Names as people write them: fit for one or not, qualified by their site or not, nearly right or not."""

from collections.abc import Iterable
from difflib import get_close_matches

from sdrbridge.errors import NotFound

LONGEST_NAME = 64
"""Characters of a name; names become file names, with a number and a suffix."""


def local(name: str, site: str) -> str:
    """The name without its site: "command-post/VTAC11" → "VTAC11". Raises `NotFound` for another site's name.

    Names of ports and patches have no slash in them, so what comes before the last one is a site.
    """
    qualifier, slash, short = name.rpartition("/")
    if slash and qualifier != site:
        raise NotFound(f'"{name}": there is no site "{qualifier}" here; this bridge is "{site}"', [f"{site}/{short}"])
    return short


def find(name: str, known: Iterable[str], what: str, site: str) -> str:
    """The name, if it is known. what: "port" or "patch". Raises `NotFound` with the nearest ones."""
    short, names = local(name, site), list(known)
    if short in names:
        return short
    close = nearest(short, names)
    if close:
        hint = "; did you mean " + " or ".join(f'"{n}"' for n in close[:2]) + "?"
    else:
        listed = ", ".join(f'"{n}"' for n in names[:8]) + (", …" if len(names) > 8 else "")
        hint = f"; there {'is' if len(names) < 2 else 'are'} {listed or 'none'}"
    raise NotFound(f'there is no {what} "{short}"{hint}', close)


def nearest(name: str, known: Iterable[str]) -> list[str]:
    """Known names near a wrong one, the nearest first; at most three. Capitals do not count."""
    spelled = {k.casefold(): k for k in sorted(known)}
    close = get_close_matches(name.casefold(), spelled, n=3, cutoff=0.6)
    return [spelled[c] for c in close]


def name_problem(name: str) -> str | None:
    """What is wrong with the name of a tuner, channel, port or patch; names become file names. None if nothing is."""
    bad = sorted({c for c in name if c in '/\\:*?"<>|' or not c.isprintable()})
    if not name.strip() or name != name.strip() or name.startswith("."):
        return "must not be empty, begin with a dot, or begin or end with a space"
    if bad:
        return f"has {' '.join(map(repr, bad))}, which file names cannot have; write - or _ instead"
    if len(name) > LONGEST_NAME:
        return f"has {len(name)} characters; at most {LONGEST_NAME}"
    return None
