"""Reads what a test program printed and says 'passed failed skipped': of ctest, of pytest, or one for a command without a count."""
import re
import sys

text = open(sys.argv[1], errors="replace").read()
code = int(sys.argv[2])
passed = failed = skipped = 0
ctest = re.findall(r"(\d+)% tests passed, (\d+) tests failed out of (\d+)", text)
pytest = re.findall(r"^(?:=+ )?((?:\d+ \w+(?:, )?)+) in [\d.]+s", text, re.M)
if ctest:
    failed, total = int(ctest[-1][1]), int(ctest[-1][2])
    skipped = len(set(re.findall(r"Test +#(\d+):.*\*\*\*(?:Skipped|Not Run)", text)))
    passed = total - failed - skipped
elif pytest:
    for number, word in re.findall(r"(\d+) (\w+)", pytest[-1]):
        if word == "passed":
            passed += int(number)
        elif word in ("failed", "error", "errors"):
            failed += int(number)
        elif word == "skipped":
            skipped += int(number)
elif code == 0:
    passed = 1
if code != 0 and failed == 0:
    failed = 1
print(passed, failed, skipped)
