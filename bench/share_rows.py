"""What one account's work costs another account's ordinary calls: each lane kept busy by one, two small calls of the other."""
import contextlib
import subprocess
import threading

import api_rows
import harness
from harness import daemon, describe, load, median, say, version


@contextlib.contextmanager
def endless(cloud, account, body, connections):
    """Requests as fast as they are answered, whatever the answer, until the block ends."""
    command = [str(harness.binaries / "load"), "--port", str(cloud.port), "--key", account.keys[0], "--secret", account.keys[1], "--body", body,
               "--connections", str(connections), "--seconds", "600"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def key_pairs(cloud, account):
    """RSA keys, made by eight clients without a pause."""
    over = threading.Event()

    def client(number):
        turn = 0
        while not over.is_set():
            turn += 1
            with contextlib.suppress(RuntimeError):
                account.call("CreateKeyPair", KeyName=f"key {number} {turn} {threading.get_ident()} {id(over)}")

    threads = [threading.Thread(target=client, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def lanes(cloud, busy):
    """Ways to be busy: what it is, and what keeps it so."""
    ids = harness.values(busy.send(describe + "&MaxResults=1000"), "instanceId")
    named = "".join(f"&InstanceId.{place}={each}" for place, each in enumerate(ids, 1))
    vpc = harness.values(busy.call("DescribeVpcs"), "vpcId")[0]
    tag = f"Action=CreateTags&Version={version}&ResourceId.1={vpc}&Tag.1.Key=busy&Tag.1.Value=yes"
    yield "large reads", lambda: endless(cloud, busy, describe, 16)
    yield "small changes", lambda: endless(cloud, busy, tag, 64)
    yield "changes of 1,000 instances", lambda: endless(cloud, busy, f"Action=RebootInstances&Version={version}" + named, 8)
    yield "launches of 100", lambda: endless(cloud, busy, cloud.run_body(100), 4)
    yield "slow work", lambda: key_pairs(cloud, busy)


def latency(cloud, account, body, seconds):
    return load(cloud.port, account.keys, body=body, connections=1, seconds=seconds)["latency_ms"]["p50"]


def fair_shares(bench):
    """Median with the other's work minus median without, in turns; the larger of a read and a change."""
    seconds = 1 if bench.quick else 2
    with daemon() as cloud:
        busy, calm = cloud.first, cloud.new_account("calm")
        api_rows.fill(cloud, busy, 1_000 if bench.quick else 5_000)
        calls = {"a read": f"Action=DescribeVpcs&Version={version}",
                 "a change": f"Action=CreateTags&Version={version}&ResourceId.1={harness.values(calm.call('DescribeVpcs'), 'vpcId')[0]}&Tag.1.Key=calm&Tag.1.Value=yes"}
        for what, keep_busy in lanes(cloud, busy):
            say(f"another account's {what}")
            without, during = {name: [] for name in calls}, {name: [] for name in calls}
            for _ in range(1 if bench.quick else 3):
                for name, body in calls.items():
                    without[name].append(latency(cloud, calm, body, seconds))
                with keep_busy():
                    for name, body in calls.items():
                        during[name].append(latency(cloud, calm, body, seconds))
            delay = {name: median(during[name]) - median(without[name]) for name in calls}
            worst = max(delay, key=delay.get)
            yield {"what": f"a call beside another account's {what}", "brume": f"{median(during[worst]):.1f} ms", "peer": f"alone: {median(without[worst]):.1f} ms",
                   "ratio": f"+{delay[worst]:.1f} ms", "goal": "≤ 50 ms more", "met": delay[worst] <= 50, "note": f"medians; {worst} is delayed most",
                   "raw": {"without_ms": without, "during_ms": during}}
