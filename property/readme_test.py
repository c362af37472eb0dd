#!/usr/bin/env python3
"""README tells the truth: what it shows is compiled and run.

  readme_test.py ROOT SERVER_BINARY

1. Each C++ block stands, to the letter, in a source file of core/examples, which the build compiles.
2. The line of netcat that README shows gets the answer that README names, from the server that `ci/serve` runs; SIGTERM
   then ends that with exit code 0.
3. Each file, folder, command and option that README names exists; and each file that another document links to.
"""
import pathlib
import re
import signal
import subprocess
import sys


def blocks(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.M | re.S)


def check(condition, problem):
    if not condition:
        sys.exit(f"README.md: {problem}")


def main(root, server):
    text = (root / "README.md").read_text()
    examples = [path.read_text() for path in sorted((root / "core/examples").glob("*.cpp"))]
    shown = blocks(text, "cpp")
    check(shown, "it shows no program")
    for block in shown:
        check(any(block in example for example in examples), f"this is in no example:\n{block}")

    commands = [line for block in blocks(text, "sh") for line in block.splitlines()]
    for command in commands:
        program = command.split()[0]
        check(program == "printf" or (root / program).is_file(), f"there is no {program}")
    for program, words in re.findall(r"`(ci/[\w-]+)([^`]*)`", text) + [command.partition(" ")[::2] for command in commands]:
        options = re.findall(r"(?<!\S)--[\w-]+", words) if program.startswith("ci/") else []
        known = subprocess.run([root / program, "--help"], capture_output=True, text=True).stdout if options else ""
        for option in options:
            check(re.search(rf"{option}\b", known), f"{program} knows no {option}")
    for path in re.findall(r"`((?:core|property|ci|fuzz|stress|coverage)/[\w./]*)`", text) + re.findall(r"\]\(([\w./]+)\)", text):
        check((root / path).exists(), f"there is no {path}")

    for document in ("CONTRIBUTING.md", "property/README.md", "stress/README.md"):
        file = root / document
        for path in re.findall(r"\]\(([\w./]+)\)", file.read_text()):
            if not (file.parent / path).exists():
                sys.exit(f"{document}: there is no {path}")

    talk = next((line for line in commands if "nc " in line), None)
    check(talk, "it shows no line of netcat")
    with subprocess.Popen([server, "127.0.0.1:0"], stdout=subprocess.PIPE, text=True) as process:
        try:
            port = next(line.rsplit(":", 1)[1].strip() for line in process.stdout if line.startswith("listening on"))
            answer = subprocess.run(talk.replace("8080", port), shell=True, capture_output=True, text=True, timeout=60)
            check(f"`{answer.stdout}`" in text and answer.stdout, f"netcat got {answer.stdout!r} {answer.stderr!r}")
        finally:
            process.send_signal(signal.SIGTERM)
        check(process.wait(timeout=60) == 0, f"the server ended with {process.returncode}")
    print("README.md tells the truth")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), sys.argv[2])
