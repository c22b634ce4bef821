"""Reads what `go test -json` printed and says how it went.

    report.py LOG         each package's result; then, of each failing test, its own lines, and those of no test that passes
    report.py LOG skips   the tests that were skipped, each with its reason

Ends with 1 if anything failed, or was skipped.
"""

import collections
import json
import sys

LINES = 90  # of all failures together
LONGEST = 400  # characters of a line


def read(name):
    """Returns the lines, the last action and the seconds of every test. A package is a test without a name."""
    output, action, seconds = collections.defaultdict(list), {}, {}
    with open(name, encoding="utf-8", errors="replace") as log:
        for line in log:
            try:
                event = json.loads(line)
                key = (event.get("Package") or event.get("ImportPath", ""), event.get("Test", ""))
            except (ValueError, AttributeError):
                key, event = ("", ""), {"Action": "output", "Output": line}  # the go command's own words
            if event.setdefault("Action", "") in ("output", "build-output"):
                output[key].append(event.get("Output", "").rstrip("\n"))
            elif event["Action"] == "run":
                action[key] = "unfinished"
            elif event["Action"] in ("pass", "fail", "skip", "build-fail"):
                action[key], seconds[key] = event["Action"], event.get("Elapsed", 0)
    return output, action, seconds


def said(lines):
    """Returns the lines of a test without those of the test runner."""
    return [line[:LONGEST] for line in lines if line.strip() and not line.startswith(("=== ", "--- PASS", "FAIL", "exit status", "ok "))]


def shortened(lines, most):
    """Returns at most so many lines: from the panic on where there is one, and of those the beginning and the end."""
    for i, line in enumerate(lines):
        if line.startswith(("panic:", "fatal error:", "WARNING: DATA RACE")):
            lines = lines[i:]
            break
    if len(lines) <= most:
        return lines
    head = most * 2 // 3
    return lines[:head] + [f"    ... {len(lines) - most + 1} lines ..."] + lines[len(lines) - (most - head - 1) :]


def failures(output, action):
    """Returns what failed, each with its lines."""
    failed = [key for key in action if action[key] in ("fail", "build-fail", "unfinished")]
    told = []
    for package, test in failed:
        lines = said(output[package, test])
        # What is above a failing test is told by that test, unless it has a word of its own.
        below = [k for k in failed if k[0] == package and k[1].startswith(test + "/" if test else "") and k[1] != test]
        if (lines or test) and not below or any(not line.strip().startswith("--- FAIL") for line in lines):
            told.append((f"{package} {test}".rstrip(), lines))
    words = said(output["", ""])
    if words and (told or not action):
        told.append(("the go command", words))
    return told


def main():
    output, action, seconds = read(sys.argv[1])
    if "skips" in sys.argv:
        skipped = [key for key in action if action[key] == "skip" and key[1]]
        for package, test in skipped:
            print("\n".join([f"skipped: {package} {test}"] + said(output[package, test])[:3]))
        return bool(skipped)
    for package, test in action:
        if not test and action[package, test] in ("pass", "fail"):
            print({"pass": "ok  ", "fail": "FAIL"}[action[package, test]], package, f"{seconds[package, test]:.1f}s")
    told = failures(output, action)
    for name, lines in told:
        print("\n".join([f"failed: {name}"] + shortened(lines, max(LINES // len(told), 6))))
    if told:
        print(f"{len(told)} failed: " + ", ".join(name for name, _ in told))
    return bool(told)


sys.exit(main())
