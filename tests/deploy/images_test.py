#!/usr/bin/env python3
"""Checks deploy/docker/ without a Docker daemon: hadolint, and that each image has the Debian packages that its programs need.

usage: images_test.py        (FPO_BIN_DIR: the programs; FPO_DEPLOY_TOOLS: see requirements.txt; exit code 77: skipped)
"""
import re
import subprocess
import sys

import deploy_check as check

# The programs of each image, and libraries that it brings itself (LibTorch's).
IMAGES = {
    "services.Dockerfile": (["fpo-coordinator", "fpo-cache", "fpoctl"], []),
    "trainer.Dockerfile": (["fpo-worker", "fpo-train", "fpoctl"], ["libtorch_cpu.so", "libc10.so"]),
}
# Every Debian has them.
ESSENTIAL = {"libc6", "libgcc-s1", "libstdc++6"}


def needed(program):
    listing = check.output_of("objdump", "-p", check.program(program))
    return set(re.findall(r"NEEDED\s+(\S+)", listing))


def package_of(library, cache):
    path = cache.get(library, "")
    # The package may have been made before /lib became a link to /usr/lib.
    for place in (path, "/usr" + path, path.removeprefix("/usr")):
        owner = subprocess.run(["dpkg", "-S", place], capture_output=True, text=True)
        if owner.returncode == 0:
            return owner.stdout.split(":")[0]
    return None


def main():
    if sys.argv[1:]:
        print(__doc__)
        sys.exit(0 if sys.argv[1] in ("-h", "--help") else 2)
    check.enter_tools()
    for name in ("objdump", "dpkg", "ldconfig"):
        if not check.has(name):
            check.skip(f"{name} is missing: the images are of Debian, and so is this check")
    linted = subprocess.run([check.tool("hadolint"), *(f"deploy/docker/{name}" for name in IMAGES)], cwd=check.ROOT)
    findings = check.Findings()
    findings.expect(linted.returncode == 0, "hadolint finds something (see above)")
    if check.has("shellcheck"):
        scripts = ["deploy/docker/fpo-healthy", "deploy/docker/development-identity"]
        findings.expect(subprocess.run(["shellcheck", *scripts], cwd=check.ROOT).returncode == 0, "shellcheck finds something (see above)")
    else:
        print("shellcheck is missing: the scripts of the images were not linted")
    # The first entry of a name is the one that is loaded: this machine's own kind, not 32 bits.
    cache = dict(reversed(re.findall(r"^\s(\S+) .*=> (\S+)$", check.output_of("ldconfig", "-p"), re.M)))
    for name, (programs, own) in IMAGES.items():
        text = (check.ROOT / "deploy/docker" / name).read_text()
        final = text[text.index("FROM debian:12-slim AS", text.index("COPY . .")):]
        installed = set(re.search(r"--no-install-recommends \\\n(.*?)\n\s+&& rm", final, re.S)[1].replace("\\", " ").split())
        wanted = set()
        for program in programs:
            for library in needed(program) - set(own):
                package = package_of(library, cache)
                findings.expect(package, f"{name}: {program} needs {library}, which no package of this machine has")
                wanted |= {package} - {None}
        for package in sorted(wanted - installed - ESSENTIAL):
            findings.expect(False, f"{name}: {', '.join(programs)} need {package}, which the image lacks")
        # What is installed beside that is a program or data, not a library left over.
        for package in sorted(installed - wanted):
            findings.expect(not package.startswith("lib"), f"{name}: nothing needs {package}")
        for source in re.findall(r"^COPY (?!--from)(.*) \S+$", text, re.M):
            for path in source.split():
                findings.expect((check.ROOT / path).exists(), f"{name}: copies {path}, which is not there")
    findings.end()


main()
