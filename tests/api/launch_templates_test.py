"""Launch templates: made, versioned, listed, deleted, and launched from."""
import base64

import botocore.exceptions
import pytest

from conftest import NEW, instances_of

MISSING = "lt-0123456789abcdef0"
ONE = {"MinCount": 1, "MaxCount": 1}


@pytest.fixture
def template(ec2, ami):
    """template(name, data…): its id."""

    def make(name="web", **data):
        return ec2.create_launch_template(LaunchTemplateName=name, LaunchTemplateData={"ImageId": ami, **data})["LaunchTemplate"]["LaunchTemplateId"]

    return make


def by(name, *values):
    return {"Filters": [{"Name": name, "Values": list(values)}]}


def names(ec2, **parameters):
    return [one["LaunchTemplateName"] for one in ec2.describe_launch_templates(**parameters)["LaunchTemplates"]]


def versions(ec2, **parameters):
    return [one["VersionNumber"] for one in ec2.describe_launch_template_versions(**parameters)["LaunchTemplateVersions"]]


def test_make_list_delete(ec2, ami, other, refused):
    tags = [{"ResourceType": "launch-template", "Tags": [{"Key": "team", "Value": "a"}]}]
    made = ec2.create_launch_template(LaunchTemplateName="web", VersionDescription="first", LaunchTemplateData={"ImageId": ami}, TagSpecifications=tags)["LaunchTemplate"]
    assert made["LaunchTemplateId"].startswith("lt-") and made["DefaultVersionNumber"] == made["LatestVersionNumber"] == 1
    assert made["Tags"] == tags[0]["Tags"] and made["CreatedBy"] == "arn:aws:iam::123456789012:root"
    ec2.create_launch_template(LaunchTemplateName="dbs", LaunchTemplateData={"InstanceType": "m5.large"})
    assert sorted(names(ec2)) == ["dbs", "web"] and names(other) == []
    assert names(ec2, LaunchTemplateNames=["dbs"]) == ["dbs"] and names(ec2, LaunchTemplateIds=[made["LaunchTemplateId"]]) == ["web"]
    assert names(ec2, **by("launch-template-name", "w*")) == ["web"] == names(ec2, **by("tag:team", "a")) == names(ec2, **by("tag-key", "team"))
    assert names(ec2, **by("create-time", made["CreateTime"].strftime("%Y-%m-%dT*")))
    pages = [page["LaunchTemplates"] for page in ec2.get_paginator("describe_launch_templates").paginate(PaginationConfig={"PageSize": 1})]
    assert [len(page) for page in pages] == [1, 1]
    gone = ec2.delete_launch_template(LaunchTemplateName="web")["LaunchTemplate"]
    assert gone["LaunchTemplateId"] == made["LaunchTemplateId"] and names(ec2) == ["dbs"] and ec2.describe_tags()["Tags"] == []
    with refused("InvalidLaunchTemplateId.NotFound"):
        ec2.describe_launch_template_versions(LaunchTemplateId=made["LaunchTemplateId"])


def test_versions(ec2, template, refused):
    one = template(InstanceType="t2.micro", EbsOptimized=True)
    second = ec2.create_launch_template_version(LaunchTemplateId=one, SourceVersion="1", VersionDescription="bigger", LaunchTemplateData={"InstanceType": "m5.large"})
    assert second["LaunchTemplateVersion"]["VersionNumber"] == 2 and second["LaunchTemplateVersion"]["DefaultVersion"] is False
    assert second["LaunchTemplateVersion"]["LaunchTemplateData"]["InstanceType"] == "m5.large"
    assert second["LaunchTemplateVersion"]["LaunchTemplateData"]["EbsOptimized"] is True  # of version 1
    third = ec2.create_launch_template_version(LaunchTemplateName="web", LaunchTemplateData={"KernelId": "aki-12345678"})
    assert "InstanceType" not in third["LaunchTemplateVersion"]["LaunchTemplateData"]
    assert versions(ec2, LaunchTemplateId=one) == [3, 2, 1]
    assert versions(ec2, LaunchTemplateId=one, MinVersion="2") == [3, 2] and versions(ec2, LaunchTemplateId=one, MinVersion="2", MaxVersion="2") == [2]
    assert versions(ec2, LaunchTemplateName="web", Versions=["$Latest", "$Default", "1"]) == [3, 1]
    assert versions(ec2, Versions=["$Latest"]) == [3]
    pages = [page["LaunchTemplateVersions"] for page in ec2.get_paginator("describe_launch_template_versions").paginate(LaunchTemplateId=one, PaginationConfig={"PageSize": 2})]
    assert [[each["VersionNumber"] for each in page] for page in pages] == [[3, 2], [1]]
    for name, value, expected in [
        ("instance-type", "m5.*", [2]), ("ebs-optimized", "true", [2, 1]), ("is-default-version", "true", [1]), ("kernel-id", "aki-*", [3]),
        ("image-id", "ami-*", [2, 1]), ("ram-disk-id", "*", []), ("http-tokens", "required", []), ("iam-instance-profile", "*", []),
        ("http-endpoint", "*", []), ("http-protocol-ipv4", "*", []), ("host-resource-group-arn", "*", []), ("license-configuration-arn", "*", []),
        ("network-card-index", "0", []), ("create-time", "20*", [3, 2, 1]),
    ]:
        assert versions(ec2, LaunchTemplateId=one, **by(name, value)) == expected, name
    assert ec2.modify_launch_template(LaunchTemplateId=one, DefaultVersion="2")["LaunchTemplate"]["DefaultVersionNumber"] == 2
    gone = ec2.delete_launch_template_versions(LaunchTemplateId=one, Versions=["3", "2", "9"])
    assert [each["VersionNumber"] for each in gone["SuccessfullyDeletedLaunchTemplateVersions"]] == [3]
    refusals = {each["VersionNumber"]: each["ResponseError"]["Code"] for each in gone["UnsuccessfullyDeletedLaunchTemplateVersions"]}
    assert refusals == {2: "unexpectedError", 9: "launchTemplateVersionDoesNotExist"}
    # Numbers are never given again, and the newest that is left is the latest.
    assert ec2.describe_launch_templates(LaunchTemplateIds=[one])["LaunchTemplates"][0]["LatestVersionNumber"] == 2
    assert ec2.create_launch_template_version(LaunchTemplateId=one, LaunchTemplateData={"KeyName": "k"})["LaunchTemplateVersion"]["VersionNumber"] == 4


EVERYTHING = {
    "KernelId": "aki-12345678", "RamDiskId": "ari-12345678", "EbsOptimized": True, "IamInstanceProfile": {"Name": "web"}, "InstanceType": "t3.micro", "KeyName": "mine",
    "BlockDeviceMappings": [{"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 5, "VolumeType": "gp3", "Iops": 3000, "DeleteOnTermination": False, "Encrypted": True}},
                            {"DeviceName": "/dev/sdb", "VirtualName": "ephemeral0"}, {"DeviceName": "/dev/sdc", "NoDevice": ""}],
    "NetworkInterfaces": [{"DeviceIndex": 0, "SubnetId": "subnet-12345678", "Groups": ["sg-12345678"], "AssociatePublicIpAddress": True, "Description": "d",
                           "PrivateIpAddresses": [{"Primary": True, "PrivateIpAddress": "172.31.0.9"}]}],
    "Monitoring": {"Enabled": True}, "Placement": {"AvailabilityZone": "us-east-1a", "Tenancy": "default", "GroupName": "near"},
    "DisableApiTermination": True, "DisableApiStop": True, "InstanceInitiatedShutdownBehavior": "terminate", "UserData": base64.b64encode(b"hi").decode(),
    "TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "a", "Value": "b"}]}], "SecurityGroupIds": ["sg-12345678"],
    "InstanceMarketOptions": {"MarketType": "spot", "SpotOptions": {"MaxPrice": "0.1"}}, "CreditSpecification": {"CpuCredits": "standard"},
    "CpuOptions": {"CoreCount": 1, "ThreadsPerCore": 1}, "HibernationOptions": {"Configured": False}, "EnclaveOptions": {"Enabled": False},
    "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 2, "HttpEndpoint": "enabled", "InstanceMetadataTags": "enabled"},
    "MaintenanceOptions": {"AutoRecovery": "disabled"}, "PrivateDnsNameOptions": {"HostnameType": "ip-name"},
    "CapacityReservationSpecification": {"CapacityReservationPreference": "none"},
}


def test_what_is_said_is_shown(ec2):
    made = ec2.create_launch_template(LaunchTemplateName="all", LaunchTemplateData=EVERYTHING)["LaunchTemplate"]["LaunchTemplateId"]
    (shown,) = ec2.describe_launch_template_versions(LaunchTemplateId=made)["LaunchTemplateVersions"]
    data = shown["LaunchTemplateData"]

    assert data == EVERYTHING  # and no member that was not given


@pytest.mark.parametrize("data", [{"ImageId": "ami-12345678"}, {"NetworkInterfaces": [{"DeviceIndex": 0}]}, {"BlockDeviceMappings": [{"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 1}}]},
                                  {"Placement": {"GroupName": "near"}}, {"MetadataOptions": {"HttpTokens": "required"}}, {"EbsOptimized": False}], ids=str)
def test_what_is_not_said_is_not_shown(ec2, data):
    made = ec2.create_launch_template(LaunchTemplateName="some", LaunchTemplateData=data)["LaunchTemplate"]
    assert "Tags" not in made and "Tags" not in ec2.describe_launch_templates()["LaunchTemplates"][0]
    version = ec2.create_launch_template_version(LaunchTemplateName="some", LaunchTemplateData=data)["LaunchTemplateVersion"]
    shown = ec2.describe_launch_template_versions(LaunchTemplateName="some")["LaunchTemplateVersions"]
    assert [version["LaunchTemplateData"], *(each["LaunchTemplateData"] for each in shown)] == [data] * 3


def said(call, **parameters):
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        call(**parameters)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


def test_calls_that_name_too_little(ec2, template):
    one = template()
    for code, parameters in (("InvalidParameterValue", {"Versions": ["1"]}), ("InvalidParameterValue", {"Versions": ["$Latest", "2"]}), ("MissingParameter", {})):
        was, message = said(ec2.describe_launch_template_versions, **parameters)
        assert was == code and message.startswith("To describe the launch template data for all your launch templates")
    lost = "InvalidLaunchTemplateId.VersionNotFound"
    not_found = (lost, f"Could not find the specified version 7 for the launch template with ID {one}.")
    assert said(ec2.describe_launch_template_versions, LaunchTemplateId=one, Versions=["7"]) == not_found
    assert said(ec2.create_launch_template_version, LaunchTemplateId=one, SourceVersion="7", LaunchTemplateData={"KeyName": "k"}) == not_found
    assert said(ec2.run_instances, **ONE, LaunchTemplate={"LaunchTemplateId": one, "Version": "7"}) == not_found
    assert said(ec2.modify_launch_template, LaunchTemplateId=one, DefaultVersion="7") == (lost, "The launch template version 7 is not found for the specified launch template.")
    assert said(ec2.describe_launch_templates, LaunchTemplateNames=["web", "none"]) == (
        "InvalidLaunchTemplateName.NotFoundException", "At least one of the launch templates specified in the request does not exist.")


def test_tags_of_what_it_launches_are_checked(ec2):
    for specification in ({"ResourceType": "vpc", "Tags": [{"Key": "a", "Value": "b"}]}, {"ResourceType": "instance", "Tags": [{"Key": "aws:a", "Value": "b"}]},
                          {"ResourceType": "instance", "Tags": []}):
        assert said(ec2.create_launch_template, LaunchTemplateName="web", LaunchTemplateData={"TagSpecifications": [specification]})[0] == "InvalidParameterValue"


def test_launch_from_it(ec2, template, in_state, ami):
    ec2.create_key_pair(KeyName="mine", KeyType="ed25519")
    one = template(
        InstanceType="t3.micro", KeyName="mine", EbsOptimized=True, MetadataOptions={"HttpTokens": "required"}, DisableApiTermination=True,
        BlockDeviceMappings=[{"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 3, "DeleteOnTermination": False}}, {"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 1}}],
        TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "from", "Value": "template"}]}, {"ResourceType": "volume", "Tags": [{"Key": "v", "Value": "w"}]},
                           {"ResourceType": "spot-instances-request", "Tags": [{"Key": "s", "Value": "t"}]}])
    for specification in ({"LaunchTemplateId": one}, {"LaunchTemplateName": "web"}, {"LaunchTemplateName": "web", "Version": "1"},
                          {"LaunchTemplateId": one, "Version": "$Latest"}, {"LaunchTemplateId": one, "Version": "$Default"}):
        (made,) = ec2.run_instances(**ONE, LaunchTemplate=specification)["Instances"]
        assert (made["ImageId"], made["InstanceType"], made["KeyName"], made["EbsOptimized"]) == (ami, "t3.micro", "mine", True)
        tags = {tag["Key"]: tag["Value"] for tag in made["Tags"]}
        assert tags == {"from": "template", "aws:ec2launchtemplate:id": one, "aws:ec2launchtemplate:version": "1"}
    # The request's word counts; block devices go by their names, tags by resource type.
    (made,) = ec2.run_instances(
        **ONE, LaunchTemplate={"LaunchTemplateId": one}, InstanceType="m5.large", DisableApiTermination=False,
        BlockDeviceMappings=[{"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 7}}, {"DeviceName": "/dev/sdg", "Ebs": {"VolumeSize": 2}}],
        TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "from", "Value": "request"}]}])["Instances"]
    (made,) = in_state("running", made["InstanceId"])
    assert made["InstanceType"] == "m5.large" and made["MetadataOptions"]["HttpTokens"] == "required"
    sizes = {}
    for mapping in made["BlockDeviceMappings"]:
        (volume,) = ec2.describe_volumes(VolumeIds=[mapping["Ebs"]["VolumeId"]])["Volumes"]
        sizes[mapping["DeviceName"]] = (volume["Size"], mapping["Ebs"]["DeleteOnTermination"])
        assert volume["Tags"] == [{"Key": "v", "Value": "w"}]
    assert sizes == {"/dev/sda1": (7, False), "/dev/sdf": (1, True), "/dev/sdg": (2, True)}
    assert {tag["Key"]: tag["Value"] for tag in made["Tags"]}["from"] == "request"
    ec2.terminate_instances(InstanceIds=[made["InstanceId"]])  # termination protection was the template's, and overridden


def test_the_image_may_come_from_either(ec2, ami, refused):
    ec2.create_launch_template(LaunchTemplateName="bare", LaunchTemplateData={"InstanceType": "t2.micro"})
    with refused("MissingParameter"):
        ec2.run_instances(**ONE, LaunchTemplate={"LaunchTemplateName": "bare"})
    assert ec2.run_instances(**ONE, ImageId=ami, LaunchTemplate={"LaunchTemplateName": "bare"})["Instances"][0]["InstanceType"] == "t2.micro"


def test_data_of_an_instance(ec2, launch, template):
    one = launch(InstanceType="t3.small", UserData="hello", TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "a", "Value": "b"}]}],
                 BlockDeviceMappings=[{"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 2}}])
    data = ec2.get_launch_template_data(InstanceId=one["InstanceId"])["LaunchTemplateData"]
    assert (data["ImageId"], data["InstanceType"], base64.b64decode(data["UserData"])) == (one["ImageId"], "t3.small", b"hello")
    assert {mapping["DeviceName"]: mapping["Ebs"]["VolumeSize"] for mapping in data["BlockDeviceMappings"]}["/dev/sdf"] == 2
    assert data["TagSpecifications"] == [{"ResourceType": "instance", "Tags": [{"Key": "a", "Value": "b"}]}]
    assert data["NetworkInterfaces"][0]["SubnetId"] == one["SubnetId"] and data["Placement"]["AvailabilityZone"] == one["Placement"]["AvailabilityZone"]


@pytest.mark.parametrize(
    "code, parameters",
    [
        ("InvalidLaunchTemplateName.AlreadyExistsException", {}),
        ("InvalidLaunchTemplateName.MalformedException", {"LaunchTemplateName": "we b"}),
        ("InvalidParameterValue", {"LaunchTemplateName": "new", "VersionDescription": "x" * 256}),
        ("InvalidParameterValue", {"LaunchTemplateName": "new", "LaunchTemplateData": {"UserData": "%%%"}}),
        ("InvalidParameterValue", {"LaunchTemplateName": "new", "TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "a", "Value": "b"}]}]}),
        ("UnsupportedOperation", {"LaunchTemplateName": "new", "LaunchTemplateData": {"LicenseSpecifications": [{"LicenseConfigurationArn": "a"}]}}),
        ("UnsupportedOperation", {"LaunchTemplateName": "new", "LaunchTemplateData": {"InstanceRequirements": {"VCpuCount": {"Min": 1}, "MemoryMiB": {"Min": 1}}}}),
        ("UnsupportedOperation", {"LaunchTemplateName": "new", "LaunchTemplateData": {"ElasticGpuSpecifications": [{"Type": "eg1.medium"}]}}),
    ],
    ids=str,
)
def test_what_a_template_may_not_be(ec2, template, refused, code, parameters):
    template()
    with refused(code):
        ec2.create_launch_template(**{"LaunchTemplateName": "web", "LaunchTemplateData": {"InstanceType": "t2.micro"}, **parameters})
    assert names(ec2) == ["web"]


def test_what_nobody_has(ec2, template, refused, query):
    one = template()
    for parameters, code in [
        ({"LaunchTemplateId": MISSING}, "InvalidLaunchTemplateId.NotFound"), ({"LaunchTemplateId": "lt-1"}, "InvalidLaunchTemplateId.Malformed"),
        ({"LaunchTemplateName": "gone"}, "InvalidLaunchTemplateName.NotFoundException"), ({}, "MissingParameter"),
        ({"LaunchTemplateId": one, "LaunchTemplateName": "web"}, "InvalidParameterCombination"),
    ]:
        with refused(code):
            ec2.describe_launch_template_versions(**parameters)
        with refused(code):
            ec2.delete_launch_template(**parameters)
        with refused(code):
            ec2.run_instances(**ONE, LaunchTemplate=parameters or {"Version": "1"})
    for version, code in (("7", "InvalidLaunchTemplateId.VersionNotFound"), ("newest", "InvalidParameterValue"), ("0", "InvalidParameterValue")):
        with refused(code):
            ec2.run_instances(**ONE, LaunchTemplate={"LaunchTemplateId": one, "Version": version})
        with refused(code):
            ec2.modify_launch_template(LaunchTemplateId=one, DefaultVersion=version)
        with refused(code):
            versions(ec2, LaunchTemplateId=one, Versions=[version])
        with refused(code):
            ec2.create_launch_template_version(LaunchTemplateId=one, SourceVersion=version, LaunchTemplateData={"KeyName": "k"})
    with refused("InvalidLaunchTemplateId.NotFound"):
        names(ec2, LaunchTemplateIds=[MISSING])
    with refused("InvalidLaunchTemplateName.NotFoundException"):
        names(ec2, LaunchTemplateNames=["gone"])
    with refused("InvalidParameterCombination"):
        names(ec2, LaunchTemplateNames=["web"], LaunchTemplateIds=[one])
    with refused("InvalidParameterValue"):
        versions(ec2, Versions=["1"])
    with refused("InvalidParameterCombination"):
        versions(ec2, LaunchTemplateId=one, Versions=["1"], MinVersion="1")
    with refused("InvalidParameterValue"):
        versions(ec2, LaunchTemplateId=one, MinVersion="one")
    with refused("InvalidParameterValue"):
        names(ec2, **by("colour", "red"))
    with refused("InvalidParameterValue"):
        ec2.delete_launch_template_versions(LaunchTemplateId=one, Versions=[str(number) for number in range(2, 203)])
    assert query("CreateLaunchTemplate", NEW, LaunchTemplateName="x").code == "MissingParameter"
    assert query("DeleteLaunchTemplateVersions", NEW, LaunchTemplateId=one).code == "MissingParameter"
    with refused("InvalidInstanceID.NotFound"):
        ec2.get_launch_template_data(InstanceId="i-0123456789abcdef0")


def test_tokens(ec2, ami, refused):
    same = {"LaunchTemplateName": "once", "LaunchTemplateData": {"ImageId": ami}, "ClientToken": "t"}
    made = ec2.create_launch_template(**same)["LaunchTemplate"]["LaunchTemplateId"]
    assert ec2.create_launch_template(**same)["LaunchTemplate"]["LaunchTemplateId"] == made
    with refused("IdempotentParameterMismatch"):
        ec2.create_launch_template(**{**same, "LaunchTemplateName": "twice"})
    more = {"LaunchTemplateId": made, "LaunchTemplateData": {"KeyName": "k"}, "ClientToken": "t"}
    assert [ec2.create_launch_template_version(**more)["LaunchTemplateVersion"]["VersionNumber"] for _ in range(2)] == [2, 2]
    with refused("IdempotentParameterMismatch"):
        ec2.create_launch_template_version(**{**more, "LaunchTemplateData": {"KeyName": "l"}})
    # What a token made and is gone is not made again.
    ec2.delete_launch_template_versions(LaunchTemplateId=made, Versions=["2"])
    with refused("InvalidLaunchTemplateId.VersionNotFound"):
        ec2.create_launch_template_version(**more)
    ec2.delete_launch_template(LaunchTemplateId=made)
    with refused("InvalidLaunchTemplateId.NotFound"):
        ec2.create_launch_template(**same)
    assert names(ec2) == []


def test_launching_with_a_token_and_a_template(ec2, template, refused):
    one = template(InstanceType="t2.micro")
    same = {**ONE, "LaunchTemplate": {"LaunchTemplateId": one}, "ClientToken": "once"}
    made = ec2.run_instances(**same)["ReservationId"]
    ec2.create_launch_template_version(LaunchTemplateId=one, LaunchTemplateData={"InstanceType": "m5.large"})
    ec2.modify_launch_template(LaunchTemplateId=one, DefaultVersion="2")
    assert ec2.run_instances(**same)["ReservationId"] == made and len(instances_of(ec2.describe_instances())) == 1


def test_the_image_by_its_alias(ec2, ami, launch, refused):
    assert launch(ImageId="resolve:ssm:/brume/images/tiny/latest")["ImageId"] == ami
    made = ec2.create_launch_template(LaunchTemplateName="alias", LaunchTemplateData={"ImageId": "resolve:ssm:/brume/images/tiny/latest"})["LaunchTemplate"]
    assert ec2.run_instances(**ONE, LaunchTemplate={"LaunchTemplateName": "alias"})["Instances"][0]["ImageId"] == ami
    (shown,) = ec2.describe_launch_template_versions(LaunchTemplateId=made["LaunchTemplateId"])["LaunchTemplateVersions"]
    assert shown["LaunchTemplateData"]["ImageId"] == "resolve:ssm:/brume/images/tiny/latest"
    with refused("InvalidParameterValue"):
        ec2.run_instances(**ONE, ImageId="resolve:ssm:/brume/images/nothing/latest")
