"""What clients hold on to, pages and client tokens, is good over the end of the daemon: by a kill and by a stop (INS-045)."""
import contextlib
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import botocore.exceptions
import pytest

from conftest import BIN, Daemon, Keys, ended, instances_of, wait_for_ready, wait_until


class Installation:
    """A home folder and its daemons, one after another. A simulation's goes with it, but not when it is killed: so the first one is
    simulated, launches at once, and is killed; the real ones that follow find instances that have ended, and run no machine."""

    def __init__(self, folder):
        self.folder, self.home, self.process = folder, None, None
        self.log = open(os.path.join(folder, "log"), "ab")

    def start(self):
        options = ["--home", self.home, "--accelerator", "tcg"] if self.home else ["--simulate"]
        self.process = subprocess.Popen([BIN / "brumed", "--port", "0", *options], stdout=subprocess.PIPE, stderr=self.log,
                                        env={**os.environ, "TMPDIR": self.folder})
        endpoint = wait_for_ready(self.process, 60, self.log)
        if not self.home:
            (home,) = pathlib.Path(self.folder).glob("brume-simulation-*")
            self.home = str(home)
            os.chmod(self.home, 0o711)
            return Daemon(self.process, endpoint, self.home).client()
        daemon = Daemon(self.process, endpoint, self.home)
        fields = dict(re.findall(r"^export (\w+)=(.*)$", daemon.brume("env"), re.MULTILINE))
        return daemon.client(keys=Keys("", fields["AWS_ACCESS_KEY_ID"], fields["AWS_SECRET_ACCESS_KEY"]))

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        assert ended(self.process) == 0


@contextlib.contextmanager
def installation():
    if os.geteuid() != 0:
        pytest.skip("a daemon that is not a simulation needs root")
    folder = tempfile.mkdtemp(prefix="brume-api-", dir="/tmp")
    os.chmod(folder, 0o711)
    made = Installation(folder)
    try:
        yield made
    finally:
        if made.process is not None:
            ended(made.process)
        if made.home:
            # The route that holds the pool, and what answers for names, outlive a daemon.
            subprocess.run([BIN / "brume", "--home", made.home, "down"], capture_output=True, timeout=120, check=True)
        made.log.close()
        shutil.rmtree(folder, ignore_errors=True)


def code_of(call, **parameters):
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        call(**parameters)
    return caught.value.response["Error"]["Code"]


def test_pages_and_client_tokens():
    with installation() as place:
        ec2 = place.start()
        image = wait_until(lambda: [one["ImageId"] for one in ec2.describe_images(Filters=[{"Name": "name", "Values": ["tiny"]}])["Images"] if one["State"] == "available"])[0]
        launch = {"ImageId": image, "MinCount": 12, "MaxCount": 12, "InstanceType": "t2.micro", "ClientToken": "once"}
        made = ec2.run_instances(**launch)
        ids = sorted(one["InstanceId"] for one in made["Instances"])
        volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1, ClientToken="a volume")["VolumeId"]
        names = [f"team-{number:02}" for number in range(12)]
        ec2.create_tags(Resources=[volume], Tags=[{"Key": name, "Value": "x"} for name in names])
        ec2.terminate_instances(InstanceIds=ids)
        wait_until(lambda: {one["State"]["Name"] for one in instances_of(ec2.describe_instances())} == {"terminated"})
        first, tags = ec2.describe_instances(MaxResults=5), ec2.describe_tags(MaxResults=5)
        place.kill()
        for end in (place.stop, place.kill):
            ec2 = place.start()
            # The pages go on where they were.
            second = ec2.describe_instances(MaxResults=5, NextToken=first["NextToken"])
            third = ec2.describe_instances(MaxResults=5, NextToken=second["NextToken"])
            assert [one["InstanceId"] for page in (first, second, third) for one in instances_of(page)] == ids and "NextToken" not in third
            rest = ec2.describe_tags(NextToken=tags["NextToken"])
            assert [tag["Key"] for tag in tags["Tags"] + rest["Tags"]] == names
            # Still nobody else can make one, or use it for something else.
            assert code_of(ec2.describe_instances, MaxResults=5, NextToken=first["NextToken"][:-4] + "AAAA") == "InvalidNextToken"
            assert code_of(ec2.describe_volumes, MaxResults=5, NextToken=first["NextToken"]) == "InvalidNextToken"
            # A request is carried out no second time, and another one under its token is refused.
            assert code_of(ec2.run_instances, **launch) == "IdempotentInstanceTerminated"
            assert code_of(ec2.run_instances, **{**launch, "InstanceType": "t2.small"}) == "IdempotentParameterMismatch"
            assert ec2.create_volume(AvailabilityZone="us-east-1a", Size=1, ClientToken="a volume")["VolumeId"] == volume
            assert code_of(ec2.create_volume, AvailabilityZone="us-east-1a", Size=2, ClientToken="a volume") == "IdempotentParameterMismatch"
            assert len(instances_of(ec2.describe_instances())) == 12
            first = ec2.describe_instances(MaxResults=5)
            end()
