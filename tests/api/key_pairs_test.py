"""Key pairs as boto3, boto 2 and ssh-keygen see them (INS-019 to INS-025)."""
import base64
import datetime
import itertools
import os
import pathlib
import re
import subprocess

import pytest


@pytest.fixture
def ssh_keygen(tmp_path):
    """Runs ssh-keygen in a folder of its own; write(name, text) puts a file there."""

    def run(*arguments):
        return subprocess.run(["ssh-keygen", *arguments], cwd=tmp_path, check=True, capture_output=True, text=True).stdout.strip()

    def write(name, text):
        path = tmp_path / name
        path.write_text(text)
        os.chmod(path, 0o600)

    run.write = write
    run.read = lambda name: (tmp_path / name).read_bytes()
    return run


def names(ec2, **parameters):
    return [pair["KeyName"] for pair in ec2.describe_key_pairs(**parameters)["KeyPairs"]]


def test_rsa_key_fits_its_public_half(ec2, ssh_keygen):
    made = ec2.create_key_pair(KeyName="web")
    assert made["KeyName"] == "web" and made["KeyPairId"].startswith("key-")
    assert made["KeyMaterial"].startswith("-----BEGIN RSA PRIVATE KEY-----\n")
    assert made["KeyMaterial"].endswith("-----END RSA PRIVATE KEY-----\n")
    assert len(made["KeyFingerprint"].split(":")) == 20
    ssh_keygen.write("web.pem", made["KeyMaterial"])
    (pair,) = ec2.describe_key_pairs(KeyNames=["web"], IncludePublicKey=True)["KeyPairs"]
    assert pair["PublicKey"] == ssh_keygen("-y", "-f", "web.pem") + " web"
    assert pair["KeyFingerprint"] == made["KeyFingerprint"]
    assert pair["KeyPairId"] == made["KeyPairId"]
    assert pair["KeyType"] == "rsa"
    assert abs(datetime.datetime.now(datetime.timezone.utc) - pair["CreateTime"]) < datetime.timedelta(minutes=5)


def test_ed25519_key_fits_its_public_half(ec2, ssh_keygen):
    made = ec2.create_key_pair(KeyName="web", KeyType="ed25519")
    assert made["KeyMaterial"].startswith("-----BEGIN OPENSSH PRIVATE KEY-----\n")
    ssh_keygen.write("web.pem", made["KeyMaterial"])
    (pair,) = ec2.describe_key_pairs(IncludePublicKey=True)["KeyPairs"]
    assert pair["PublicKey"].split()[:2] == ssh_keygen("-y", "-f", "web.pem").split()[:2]
    assert pair["KeyType"] == "ed25519"
    assert "SHA256:" + made["KeyFingerprint"].rstrip("=") == ssh_keygen("-l", "-f", "web.pem").split()[1]


@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
def test_ppk_is_what_putty_reads(ec2, ssh_keygen, tmp_path, kind):
    made = ec2.create_key_pair(KeyName="web", KeyType=kind, KeyFormat="ppk")
    ssh_keygen.write("web.ppk", made["KeyMaterial"])
    subprocess.run(["puttygen", "web.ppk", "-O", "private-openssh-new", "-o", "web.pem"], cwd=tmp_path, check=True)
    (pair,) = ec2.describe_key_pairs(IncludePublicKey=True)["KeyPairs"]
    assert ssh_keygen("-y", "-f", "web.pem").split()[:2] == pair["PublicKey"].split()[:2]


def test_private_key_is_shown_once(ec2):
    ec2.create_key_pair(KeyName="web")
    (pair,) = ec2.describe_key_pairs()["KeyPairs"]
    assert "KeyMaterial" not in pair and "PublicKey" not in pair


def test_nothing_of_a_private_key_is_kept(daemon, ec2):
    """Neither in the state nor in the log, whatever the kind; its public half is where it is looked for."""
    made = {kind: ec2.create_key_pair(KeyName="-".join(kind), KeyType=kind[0], KeyFormat=kind[1])["KeyMaterial"]
            for kind in itertools.product(("rsa", "ed25519"), ("pem", "ppk"))}
    home = pathlib.Path(daemon.home)
    kept = b"".join(path.read_bytes() for path in [*home.rglob("*"), home.parent / "log"] if path.is_file())
    for pair in ec2.describe_key_pairs(IncludePublicKey=True)["KeyPairs"]:
        assert pair["PublicKey"].split()[1].encode() in kept
    for kind, material in made.items():
        private = material[material.index("Private-Lines"):] if kind[1] == "ppk" else material
        lines = [line for line in private.splitlines() if re.fullmatch("[A-Za-z0-9+/]{40,}=*", line)]
        assert lines or kind == ("ed25519", "ppk")
        # Also not as bytes, and not moved within the base64.
        secrets = [line.encode() for line in lines]
        if kind != ("ed25519", "pem"):  # whose first lines are the public half once more
            body = base64.b64decode("".join(re.findall("^[A-Za-z0-9+/]{2,}=*$", private, re.MULTILINE)))
            secrets += [body[8:], body[-24:]]
        for secret in secrets[-3:]:
            assert secret not in kept, kind


def test_the_command_that_names_a_local_key(daemon, ec2, tmp_path, ssh_keygen):
    def fingerprints(content):
        ssh_keygen.write("local", content)
        return dict(line.split("\t") for line in daemon.brume("key", "fingerprint", str(tmp_path / "local")).splitlines())

    for number, kind in enumerate(itertools.product(("rsa", "ed25519"), ("pem", "ppk"))):
        pair = ec2.create_key_pair(KeyName=f"k{number}", KeyType=kind[0], KeyFormat=kind[1])
        shown = fingerprints(pair["KeyMaterial"])
        assert shown["made"] == pair["KeyFingerprint"], kind
        (public,) = [one["PublicKey"] for one in ec2.describe_key_pairs(KeyNames=[f"k{number}"], IncludePublicKey=True)["KeyPairs"]]
        imported = ec2.import_key_pair(KeyName=f"again{number}", PublicKeyMaterial=public.encode())
        assert shown["imported"] == imported["KeyFingerprint"], kind
        assert fingerprints(public) == {"imported": imported["KeyFingerprint"]}
    with pytest.raises(subprocess.CalledProcessError) as refused:
        fingerprints("nonsense")
    assert "nonsense" not in refused.value.stderr and "not in valid" in refused.value.stderr


def test_names(ec2, refused):
    ec2.create_key_pair(KeyName="web", KeyType="ed25519")
    with refused("InvalidKeyPair.Duplicate"):
        ec2.create_key_pair(KeyName="web", KeyType="ed25519")
    with refused("InvalidKeyPair.Duplicate"):
        ec2.import_key_pair(KeyName="web", PublicKeyMaterial=PUBLIC)
    ec2.create_key_pair(KeyName="Web", KeyType="ed25519")
    ec2.create_key_pair(KeyName="a b/c&<d>", KeyType="ed25519")
    assert names(ec2) == ["Web", "a b/c&<d>", "web"]
    for wrong in ("é", " web2", "web2 ", "x" * 256, "a\nb"):
        with refused("InvalidParameterValue"):
            ec2.create_key_pair(KeyName=wrong, KeyType="ed25519")
    with refused("InvalidParameterValue"):
        ec2.create_key_pair(KeyName="x", KeyType="dsa")
    with refused("InvalidParameterValue"):
        ec2.create_key_pair(KeyName="x", KeyFormat="der")


def test_describe_and_filters(ec2, refused):
    one = ec2.create_key_pair(KeyName="one", KeyType="ed25519", TagSpecifications=[{"ResourceType": "key-pair", "Tags": [{"Key": "a", "Value": "b"}]}])
    two = ec2.create_key_pair(KeyName="two", KeyType="ed25519")
    assert one["Tags"] == [{"Key": "a", "Value": "b"}]
    assert names(ec2, KeyNames=["two"]) == ["two"]
    assert names(ec2, KeyPairIds=[one["KeyPairId"]]) == ["one"]
    assert names(ec2, Filters=[{"Name": "key-name", "Values": ["t*"]}]) == ["two"]
    assert names(ec2, Filters=[{"Name": "fingerprint", "Values": [two["KeyFingerprint"]]}]) == ["two"]
    assert names(ec2, Filters=[{"Name": "key-pair-id", "Values": [one["KeyPairId"]]}]) == ["one"]
    assert names(ec2, Filters=[{"Name": "tag:a", "Values": ["b"]}]) == ["one"]
    assert names(ec2, Filters=[{"Name": "tag-key", "Values": ["a"]}]) == ["one"]
    with refused("InvalidKeyPair.NotFound"):
        ec2.describe_key_pairs(KeyNames=["one", "three"])
    with refused("InvalidKeyPair.NotFound"):
        ec2.describe_key_pairs(KeyPairIds=["key-0123456789abcdef0"])
    with refused("InvalidParameterValue"):
        ec2.describe_key_pairs(Filters=[{"Name": "colour", "Values": ["red"]}])


def test_delete(ec2, refused):
    made = ec2.create_key_pair(KeyName="one", KeyType="ed25519", TagSpecifications=[{"ResourceType": "key-pair", "Tags": [{"Key": "a", "Value": "b"}]}])
    ec2.create_key_pair(KeyName="two", KeyType="ed25519")
    ec2.delete_key_pair(KeyName="two")
    ec2.delete_key_pair(KeyName="two")  # is gone already
    assert names(ec2) == ["one"]
    ec2.delete_key_pair(KeyPairId=made["KeyPairId"])
    assert names(ec2) == []
    with refused("InvalidKeyPair.NotFound"):
        ec2.delete_key_pair(KeyPairId=made["KeyPairId"])
    assert ec2.describe_tags()["Tags"] == []


PUBLIC = b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINXqJ1gjV1mW81L7kBWVLrplw/mcg3IDoO9P1bmTEHxD me@home"


@pytest.mark.parametrize("form", ["openssh", "RFC4716", "PKCS8", "PEM"])
def test_import_rsa(ec2, ssh_keygen, form):
    ssh_keygen("-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", "k")
    material = ssh_keygen.read("k.pub") if form == "openssh" else ssh_keygen("-e", "-m", form, "-f", "k.pub").encode()
    imported = ec2.import_key_pair(KeyName="mine", PublicKeyMaterial=material)
    assert len(imported["KeyFingerprint"].split(":")) == 16
    (pair,) = ec2.describe_key_pairs(IncludePublicKey=True)["KeyPairs"]
    assert pair["PublicKey"].split()[:2] == ssh_keygen.read("k.pub").decode().split()[:2]


def test_import_ed25519(ec2):
    imported = ec2.import_key_pair(KeyName="mine", PublicKeyMaterial=PUBLIC)
    (pair,) = ec2.describe_key_pairs(KeyPairIds=[imported["KeyPairId"]])["KeyPairs"]
    assert pair["KeyType"] == "ed25519"


def test_import_refuses_what_is_no_public_key(ec2, refused, ssh_keygen):
    ssh_keygen("-q", "-t", "ecdsa", "-N", "", "-f", "k")
    for wrong in (b"nonsense", b"ssh-rsa AAAA", ssh_keygen.read("k.pub"), ssh_keygen.read("k"), PUBLIC[:40]):
        with refused("InvalidKey.Format"):
            ec2.import_key_pair(KeyName="mine", PublicKeyMaterial=wrong)
    assert names(ec2) == []


def test_dry_run(ec2, refused):
    with refused("DryRunOperation", 412):
        ec2.create_key_pair(KeyName="web", DryRun=True)
    assert names(ec2) == []


def test_accounts_are_apart(ec2, other, refused):
    made = ec2.create_key_pair(KeyName="web", KeyType="ed25519")
    assert names(other) == []
    with refused("InvalidKeyPair.NotFound"):
        other.describe_key_pairs(KeyPairIds=[made["KeyPairId"]])
    other.delete_key_pair(KeyName="web")
    with refused("InvalidKeyPair.NotFound"):
        other.delete_key_pair(KeyPairId=made["KeyPairId"])
    other.create_key_pair(KeyName="web", KeyType="ed25519")
    assert names(ec2) == ["web"]


# ----- 2011-12-01


def test_boto2_creates_lists_and_deletes(old, ssh_keygen):
    pair = old.create_key_pair("gsg-keypair")
    assert pair.name == "gsg-keypair" and len(pair.fingerprint.split(":")) == 20
    ssh_keygen.write("k.pem", pair.material)
    ssh_keygen("-y", "-f", "k.pem")
    assert [one.fingerprint for one in old.get_all_key_pairs(keynames=["gsg-keypair"])] == [pair.fingerprint]
    assert old.delete_key_pair("gsg-keypair")
    assert old.get_all_key_pairs() == []


def test_boto2_imports_rsa_of_the_guides_lengths(old, refused, ssh_keygen):
    for bits, good in ((1024, True), (3072, False)):
        ssh_keygen("-q", "-t", "rsa", "-b", str(bits), "-N", "", "-f", f"k{bits}")
        material = ssh_keygen.read(f"k{bits}.pub")
        if good:
            assert len(old.import_key_pair("mine", material).fingerprint.split(":")) == 16
        else:
            with refused("InvalidKey.Format"):
                old.import_key_pair("other", material)


def test_old_answers_have_only_what_was_there_then(query):
    made = query("ImportKeyPair", KeyName="mine", PublicKeyMaterial=base64.b64encode(RSA_1024).decode())
    assert made.tree[0].tag == "requestId"
    assert sorted(child.tag for child in made.tree) == ["keyFingerprint", "keyName", "requestId"]
    listed = query("DescribeKeyPairs")
    assert listed.texts("keySet/item/keyName") == ["mine"]
    assert sorted({child.tag for child in listed.tree.find("keySet/item")}) == ["keyFingerprint", "keyName"]
    assert query("DeleteKeyPair", KeyName="mine").texts("return") == ["true"]


RSA_1024 = (
    b"ssh-rsa "
    b"AAAAB3NzaC1yc2EAAAADAQABAAAAgQCiqfKNbv+olaSP3Nh+hiKSlK4OgJwbMX16YPOnwoYeFT0atotQuLSlk5xC2AHFaZSHFyIV"
    b"CmPg8mf2VwYLqS4Ua8/PwUZFMtmS3wrTYAYE2lwR19ycVdHxJOJEFxiX8426w2AJyAUAcaS5vtZfVQEXTJU2iu6k4yByBl83ndoq"
    b"DQ=="
)
