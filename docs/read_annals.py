#!/usr/bin/env python3
"""Reads annals's files, written from format.md alone; nothing but Python's standard library.

usage: read_annals.py log|session|memory|trust|catalog FILE

Prints JSON lines: of a log what each line is, of a session its visible messages and its state, of a memory its active
items, newest first, of a trust store what stands about each path or set, of a catalog its sessions, as they appeared.
"""

import hashlib
import json
import re
import sys
import zlib
from datetime import datetime, timedelta, timezone

LINE_MAX = 16 << 20
DEPTH_MAX = 128
NUMBER_MAX = 1 << 53
SEAL = re.compile(rb'"crc32":"([0-9A-Fa-f]{8})"\}')
# What may still become a value, from the place on at which a parser gives up.
BEGINNING = re.compile(r'(t(r(u)?)?|f(a(l(s)?)?)?|n(u(l)?)?|-|[.eE][+-]?\d*)?')


def seal_of(line):
    """"good", "bad" or None."""
    found = SEAL.fullmatch(line, max(len(line) - 19, 0))
    covered = line[:-20] if line[-20:-19] == b"," else line[:-19]
    if not found or (line[-20:-19] != b"," and covered != b"{"):
        return None
    digits = b"%08x" % zlib.crc32(covered)
    return "good" if digits == found[1] else "bad"


def is_too_deep(text):
    depth, in_string, escaped = 0, False, False
    for char in text:
        if in_string:
            in_string = escaped or char != '"'
            escaped = char == "\\" and not escaped
        elif char == '"':
            in_string = True
        elif char in "[{":
            depth += 1
            if depth > DEPTH_MAX:
                return True
        elif char in "]}":
            depth -= 1
    return False


def no_constant(name):
    raise ValueError(name)


class Members(dict):
    """An object that knows which names stand in it twice."""

    def __init__(self, pairs):
        super().__init__(pairs)
        names = [name for name, _ in pairs]
        self.repeated = {name for name in names if names.count(name) > 1}


def parse(line):
    """("record", value), ("torn", None) or ("damaged", None)."""
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        # Cut inside of a character?
        is_cut = error.reason == "unexpected end of data" and error.end == len(line)
        return ("torn" if is_cut and parse(line[: error.start])[0] == "torn" else "damaged"), None
    if is_too_deep(text):
        return "damaged", None
    try:
        text = text.strip(" \t\r\n")
        return "record", json.loads(text, parse_constant=no_constant, object_pairs_hook=Members)
    except json.JSONDecodeError as error:
        rest = text[error.pos :]
        is_open = error.msg.startswith("Unterminated") or BEGINNING.fullmatch(rest)
        is_escape = error.msg.startswith("Invalid \\") and len(rest) < 6
        return ("torn" if text and (is_open or is_escape) else "damaged"), None
    except (ValueError, RecursionError):
        return "damaged", None


def fault_of(line):
    """The byte at which a line goes wrong as one JSON value; its length where it only never ends."""
    text = line.decode("utf-8", "surrogateescape")
    try:
        json.loads(text, parse_constant=no_constant)
    except json.JSONDecodeError as error:
        is_torn = parse(line)[0] == "torn"
        return len(line) if is_torn else len(text[: error.pos].encode("utf-8", "surrogateescape"))
    except (ValueError, RecursionError):
        pass
    return len(line)


def rescued(line):
    """Records in a damaged line: those that end with a good seal, and behind the byte at which what is torn goes wrong."""
    begin, fault = 0, fault_of(line)
    for found in re.finditer(rb',"crc32":"([0-9a-f]{8})"\}', line):
        for start in (brace.start() for brace in re.finditer(rb"\{", line[begin : found.start()])):
            covered = line[begin + start : found.start()]
            if b"%08x" % zlib.crc32(covered) == found[1]:
                kind, value = parse(line[begin + start : found.end()])
                if kind == "record" and found.end() > fault:
                    yield value
                    begin = found.end()
                    break


def lines(path):
    """What each line is, its value or what was rescued from it, whether it has its newline, and whether it is the last."""
    with open(path, "rb") as file:
        rest = file.read()
    # A reader of large files would go line by line.
    pieces = rest.split(b"\n")
    for number, line in enumerate(pieces):
        terminated = number + 1 < len(pieces)
        if not terminated and not line:
            return
        if number == 0 and line.startswith(b"\xef\xbb\xbf"):
            line = line[3:]
        is_last = not terminated or (number + 2 == len(pieces) and not pieces[-1])
        if len(line) > LINE_MAX:
            yield "damaged", [], terminated, is_last
        elif not line.strip(b" \t\r\v\f"):
            yield "blank", [], terminated, is_last
        else:
            kind, value = ("damaged", None) if seal_of(line) == "bad" else parse(line)
            yield kind, ([value] if kind == "record" else list(rescued(line))), terminated, is_last


def session(path):
    seen, state, messages = set(), (-1, {}), []
    for _, values, _, _ in lines(path):
        for value in (value for value in values if isinstance(value, dict)):
            numbers = [value.get("seq"), value.get("n")]
            bodies = [name for name in ("message", "note", "state") if value.get(name) is not None]
            if len(bodies) != 1 or not all(type(number) is int and 0 <= number <= NUMBER_MAX for number in numbers):
                continue
            what = (value["seq"], json.dumps(value[bodies[0]]))
            if what in seen:
                continue
            seen.add(what)
            if bodies == ["state"] and value["seq"] >= state[0]:
                state = (value["seq"], value["state"])
            elif bodies == ["message"]:
                messages.append({"seq": value["seq"], "message": value["message"]})
    state = state[1]
    yield from (message for message in messages if message["seq"] >= state.get("before", 0))
    yield {"summary": state.get("summary", ""), "metadata": state.get("metadata")}


def id_of(value):
    """aish may have written it as text or as 1e+15."""
    try:
        value = int(value) if not isinstance(value, bool) and float(value) == int(float(value)) else 0
    except (TypeError, ValueError, OverflowError):
        return None
    return value if 1 <= value <= NUMBER_MAX else None


def time_of(text):
    try:
        return datetime.fromisoformat(text).timestamp()
    except (TypeError, ValueError):
        return None


def memory(path):
    now, active = datetime.now(timezone.utc).timestamp(), {}
    for _, values, _, _ in lines(path):
        for value in (value for value in values if isinstance(value, dict)):
            kind = value.get("kind")
            if kind == "forget":
                active.pop(id_of(value.get("target")), None)
            elif kind in ("fact", "pref", "context") and id_of(value.get("id")):
                active.pop(id_of(value.get("supersedes")), None)
                active[id_of(value["id"])] = value
    items = sorted(active.items(), key=lambda item: (time_of(item[1].get("ts")) or 0, item[0]), reverse=True)
    for number, item in items:
        expires = time_of(item.get("expires"))
        if expires is None or expires > now:
            yield {"id": number, "kind": item["kind"], "content": item.get("content", "")}


def subject_of(value):
    """The paths that a decision is about; None where that isn't clear."""
    known = {"path", "path_hex", "sha256", "decision", "ts", "files", "manifest"}
    if known & value.repeated:
        return None
    if "files" in value:
        paths = [subject_of(file) for file in value["files"] if "files" not in file]
        is_good = all(paths) and not {"path", "path_hex", "sha256"} & set(value)
        names = tuple(path[0] for path in paths) if is_good else ()
        return names if names == tuple(sorted(set(names))) and names else None
    if ("path" in value) == ("path_hex" in value):
        return None
    try:
        path = value["path"].encode() if "path" in value else bytes.fromhex(value["path_hex"])
    except (AttributeError, TypeError, ValueError):
        return None
    return (path,) if path else None


def digests_of(value, paths):
    files = value["files"] if "files" in value else [value]
    digests = [file.get("sha256") for file in files]
    if not all(isinstance(digest, str) and re.fullmatch("[0-9a-f]{64}", digest) for digest in digests):
        return None
    if "files" in value:
        parts = [b"%s %d:%s\n" % (digest.encode(), len(path), path) for digest, path in zip(digests, paths)]
        manifest = hashlib.sha256(b"annals-set-1\n" + b"".join(parts)).hexdigest()
        return digests if value.get("manifest") == manifest else None
    return digests


def trust(path):
    standing, in_doubt = {}, set()
    for kind, values, terminated, is_last in lines(path):
        if kind == "damaged" or (kind == "torn" and is_last and terminated):
            if not values:
                in_doubt = {subject for subject, (what, _) in standing.items() if what == "allowed"}
        for value in (value for value in values if isinstance(value, dict)):
            subject, decision = subject_of(value), value.get("decision")
            if "decision" not in value:
                digests = subject and digests_of(value, subject)
                is_denied = standing.get(subject, ("", None))[0] == "denied"
                if digests and terminated and not is_denied:
                    standing[subject] = ("allowed", digests)
            elif subject is None:
                in_doubt = {known for known, (what, _) in standing.items() if what == "allowed"}
                continue
            elif decision == "deny":
                standing[subject] = ("denied", None)
            else:
                standing.pop(subject, None)
            in_doubt.discard(subject)
    for subject, (what, digests) in standing.items():
        names = [path.decode("utf-8", "backslashreplace") for path in subject]
        yield {"files": names, "state": "in doubt" if subject in in_doubt else what, "sha256": digests}


# What a sighting says of a session that takes the place of what was said before, and what only fills what is empty.
LAST = (
    "worktree_path_observed",
    "worktree_realpath",
    "worktree_registry_name",
    "git_common_dir",
    "branch_current",
    "head_last_seen",
)
FIRST = ("branch_at_start", "head_at_start", "first_prompt_preview", "cwd")
FINGERPRINTS = ("first_human_prompt_v1", "lineage_prefix_v1")


def new_session(stable_id, ts):
    nothing = ("alias", "parent_session_id", "identity_resolution", "closed_at", "closed_reason") + LAST + FIRST
    lists = ("claude_session_ids", "transcript_files", "parent_candidate_ids", "tasks", "projects")
    return {
        "stable_id": stable_id,
        **{name: None for name in nothing},
        **{name: [] for name in lists},
        "fingerprints": {name: None for name in FINGERPRINTS},
        "parent_candidates_omitted_count": 0,
        "activity_state": "active",
        "outcome": "open",
        "created_at": ts,
        "last_progress_at": ts,
    }


def text_in(members, name):
    """A text with something in it; anything else counts as absent."""
    value = members.get(name)
    return value if isinstance(value, str) and value else None


def object_in(members, name):
    return members.get(name) if isinstance(members.get(name), dict) else {}


def list_in(members, name, kind):
    items = members.get(name) if isinstance(members.get(name), list) else []
    return [item for item in items if isinstance(item, kind) and (item or kind is dict)]


def millis_of(text):
    try:
        time = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    time = time if time.tzinfo else time.replace(tzinfo=timezone.utc)
    return (time - datetime(1970, 1, 1, tzinfo=timezone.utc)) // timedelta(milliseconds=1)


def is_later(a, b):
    a, b = millis_of(a), millis_of(b)
    return a is not None and (b is None or a > b)


def setting(session, name, payload, of):
    """null takes away, a text is set, anything else changes nothing."""
    if of in payload and (payload[of] is None or text_in(payload, of)):
        session[name] = payload[of]


def add_candidates(session, new, names):
    def key(candidate):
        return next((text_in(candidate, name) for name in names if text_in(candidate, name)), None)

    for candidate in new:
        known = [key(other) for other in session["parent_candidate_ids"]]
        if key(candidate) and key(candidate) not in known:
            session["parent_candidate_ids"].append(candidate)


def see(session, payload):
    own_id, file = text_in(payload, "claude_session_id"), object_in(payload, "transcript_file")
    if own_id and own_id not in session["claude_session_ids"]:
        session["claude_session_ids"].append(own_id)
    if text_in(file, "path"):
        known = [other for other in session["transcript_files"] if other.get("path") == file["path"]]
        if known:
            known[0].update(file)
        else:
            session["transcript_files"].append(file)
    for name in FINGERPRINTS:
        if session["fingerprints"][name] is None:
            session["fingerprints"][name] = text_in(object_in(payload, "fingerprints"), name)
    for name in LAST:
        session[name] = text_in(payload, name) or session[name]
    for name in FIRST:
        session[name] = session[name] or text_in(payload, name)
    if payload.get("identity_resolution") is not None:
        session["identity_resolution"] = payload["identity_resolution"]
    omitted = payload.get("parent_candidates_omitted_count")
    if type(omitted) is int and 0 <= omitted < 1 << 64:
        session["parent_candidates_omitted_count"] = omitted
    add_candidates(session, list_in(payload, "parent_candidate_ids", dict), ("stable_id", "parent_id", "id"))
    if session["activity_state"] == "archived":
        session["activity_state"] = "active"


def close(session, payload, ts):
    outcome = text_in(payload, "outcome")
    session["outcome"] = outcome or session["outcome"]
    session["closed_at"] = None if outcome == "open" else ts
    if "closed_reason" in payload and (payload["closed_reason"] is None or isinstance(payload["closed_reason"], str)):
        session["closed_reason"] = payload["closed_reason"]


def apply(session, op, payload, ts):
    if op == "session_seen":
        see(session, payload)
    elif op in ("session_link", "session_unlink"):
        for name in ("tasks", "projects"):
            named, old = list_in(payload, name, str), session[name]
            if op == "session_unlink":
                session[name] = [value for value in old if value not in named]
            elif payload.get("remove") is not True:
                old.extend(value for value in dict.fromkeys(named) if value not in old)
    elif op == "alias_set":
        setting(session, "alias", payload, "alias")
    elif op == "parent_set":
        setting(session, "parent_session_id", payload, "parent_session_id")
    elif op == "close":
        close(session, payload, ts)
    elif op == "sweep":
        session["activity_state"] = text_in(payload, "activity_state") or session["activity_state"]
        ts = text_in(payload, "effective_last_progress") or ""
    elif op == "manual_link":
        add_candidates(session, list_in(payload, "parent_candidate_ids", dict), ("parent_id", "id"))
    if is_later(ts, session["last_progress_at"]):
        session["last_progress_at"] = ts


def catalog(path):
    sessions = {}
    for kind, values, _, _ in lines(path):
        for value in (value for value in values if isinstance(value, dict)):
            op, stable_id, ts = text_in(value, "op"), text_in(value, "stable_id"), text_in(value, "ts") or ""
            if op and stable_id and (kind == "record" or ts):
                session = sessions.setdefault(stable_id, new_session(stable_id, ts))
                apply(session, op, object_in(value, "payload"), ts)
    yield from sessions.values()


def log(path):
    for kind, _, _, _ in lines(path):
        yield {"line": kind}


def main():
    readers = {"log": log, "session": session, "memory": memory, "trust": trust, "catalog": catalog}
    if len(sys.argv) != 3 or sys.argv[1] not in readers:
        sys.exit(__doc__)
    for value in readers[sys.argv[1]](sys.argv[2]):
        print(json.dumps(value))


if __name__ == "__main__":
    main()
