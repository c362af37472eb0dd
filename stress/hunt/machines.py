"""What a hunt tells machines: JUnit XML, SARIF, and, in hosted CI, annotations and the step's summary."""
import json
import os
import xml.etree.ElementTree as xml

from findings import RULES


def write(root, place, summary):
    junit(summary).write(place / 'junit.xml', encoding='unicode', xml_declaration=True)
    (place / 'findings.sarif').write_text(json.dumps(sarif(root, summary), indent=1) + '\n')
    text = markdown(root, summary)
    (place / 'summary.md').write_text(text)
    if step := os.environ.get('GITHUB_STEP_SUMMARY'):
        with open(step, 'a') as file:
            file.write(text)
    if os.environ.get('GITHUB_ACTIONS'):
        for finding in summary.findings:
            path, line = finding.place(root)
            print(f'::error file={path},line={line},title={escaped(finding.title, True)}::{escaped(finding.text)}')


def escaped(text, in_a_property=False):
    """As the runner's commands want it."""
    text = text.replace('%', '%25').replace('\r', '%0D').replace('\n', '%0A')
    return text.replace(':', '%3A').replace(',', '%2C') if in_a_property else text


def junit(summary):
    suites = xml.Element('testsuites', name='hunt')
    names = [p.name for p in summary.programs]
    for by in [*names, *sorted({f.by for f in summary.findings} - set(names))]:
        program = next((p for p in summary.programs if p.name == by), None)
        failures = [f for f in summary.findings if f.by == by]
        tests = sorted({*(program.tests if program else ()), *([program.fuzzes] if program and program.fuzzes else []),
                        *(f.test for f in failures)})
        suite = xml.SubElement(suites, 'testsuite', name=by, tests=str(len(tests)), failures=str(len(failures)),
                               time=f'{program.seconds if program else 0:.1f}')
        for test in tests:
            case = xml.SubElement(suite, 'testcase', classname=by, name=test)
            for failure in (f for f in failures if f.test == test):
                xml.SubElement(case, 'failure', message=failure.kind).text = printable(failure.text)
        if program and program.broken:
            case = xml.SubElement(suite, 'testcase', classname=by, name='the program itself')
            xml.SubElement(case, 'error', message=f'ended with {program.status}').text = printable(program.tail())
    return xml.ElementTree(suites)


def printable(text):
    """XML has no words for most control characters."""
    return ''.join(c if c in '\t\n' or c >= ' ' else '?' for c in text)


def at(path, line, text=None):
    place = {'physicalLocation': {'artifactLocation': {'uri': path, 'uriBaseId': '%SRCROOT%'}, 'region': {'startLine': line}}}
    return {**place, 'message': {'text': text}} if text else place


def sarif(root, summary):
    """One rule for each oracle; the story is the way through the code that led there."""
    results = []
    for finding in summary.findings:
        result = {'ruleId': finding.rule, 'ruleIndex': list(RULES).index(finding.rule), 'level': 'error',
                  'message': {'text': f'{finding.title}\n\n{finding.command}\n\n{finding.text}'},
                  'locations': [at(*finding.place(root))], 'partialFingerprints': {'title/v1': finding.key}}
        if frames := finding.frames(root):
            result['codeFlows'] = [{'threadFlows': [{'locations': [{'location': at(*frame)} for frame in frames]}]}]
        results.append(result)
    rules = [{'id': rule, 'shortDescription': {'text': text}, 'defaultConfiguration': {'level': 'error'}}
             for rule, (_, text) in RULES.items()]
    return {'$schema': 'https://json.schemastore.org/sarif-2.1.0.json', 'version': '2.1.0',
            'runs': [{'tool': {'driver': {'name': 'acairo hunt', 'rules': rules}}, 'results': results,
                      'columnKind': 'utf16CodeUnits'}]}


def markdown(root, summary):
    lines = [f'### Hunt: {"nothing found" if not summary.findings else f"{len(summary.findings)} found"}\n', summary.sentence() + '\n']
    for finding in summary.findings:
        path, line = finding.place(root)
        lines += [f'<details><summary><b>{finding.title.replace("<", "&lt;")}</b> at {path}:{line}</summary>\n',
                  f'```sh\n{finding.command}\n```\n', f'```\n{finding.text}\n```\n', '</details>\n']
    lines += ['| program | runs | interleavings | features | seconds |', '|---|---:|---:|---:|---:|']
    for p in summary.programs:
        orders, features = f'{p.interleavings:,}' if p.orders else '', f'{p.growth[-1][1]:,}' if p.growth else ''
        lines.append(f'| {p.name} | {p.runs:,} | {orders} | {features} | {p.seconds:.0f} |')
    return '\n'.join(lines) + '\n'
