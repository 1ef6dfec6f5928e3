"""What the tests that walk the model ask each built operation (model_test.py, model_errors_test.py).

An operation that is built needs a line in SCENARIOS: one case or a list of them. A case is a function of a World, which makes the
resources that are asked for, and returns the parameters as the model names them. Each must succeed, and what it lists must not be
empty (unless in MAY_BE_EMPTY).
"""
import base64
import functools
import itertools
import pathlib
import re
import subprocess
import tempfile

import conftest
import network_scenarios
import service_model
from scenario_parameters import filtered, tagged

ID = re.compile(r"\b((?:[a-z]+-)+)(?:[0-9a-f]{17}|[0-9a-f]{8})\b")


class Refused(AssertionError):
    def __init__(self, action, parameters, answer):
        super().__init__(f"{action} {parameters}: {answer.status} {answer.body.decode()[:600]}")
        self.code = answer.code


class World(network_scenarios.Network):
    """The resources of one account, made when they are first asked for."""

    numbers = itertools.count(1)

    def __init__(self, daemon, keys):
        self.daemon, self.keys = daemon, keys
        self.account = keys.account
        self.seen = set()  # every id in an answer
        self.told = set()  # ids of others that it named itself, and is shown again
        self.keys_of = {}  # operation → the keys of another account of ours, which it is sent to

    def send(self, action, parameters, version=conftest.NEW, more=None):
        """The answer to plain parameters as the model names them; `more` are written as they are."""
        service = service_model.built().get(action, "ec2")
        model = service_model.own(service)
        shape = model.operations[action].get("input")
        written = service_model.write_parameters(model, shape, parameters) if shape else {}
        if service != "ec2":
            version = model.metadata["apiVersion"]
        answer = self.daemon.query(action, version, {**written, **(more or {})}, AWSAccessKeyId=self.keys_of.get(action, self.keys).key_id)
        self.seen |= {found.group() for found in ID.finditer(answer.body.decode())}
        return answer

    def call(self, action, **parameters):
        answer = self.send(action, parameters)
        if answer.status != 200:
            raise Refused(action, parameters, answer)
        return answer

    def get(self, path, action, **parameters):
        """The first text below a path of elements."""
        return self.call(action, **parameters).texts(path)[0]

    def until(self, wanted, path, action, **parameters):
        conftest.wait_until(lambda: set(self.call(action, **parameters).texts(path)) == {wanted})

    @staticmethod
    def name(stem="model"):
        return f"{stem}-{next(World.numbers)}"

    # What others may share, made once

    @functools.cached_property
    def image(self):
        """A public starter image."""
        path = "imagesSet/item/imageId"
        return conftest.wait_until(lambda: self.call("DescribeImages", Filters=[
            {"Name": "name", "Values": ["tiny"]}, {"Name": "state", "Values": ["available"]}]).texts(path))[0]

    @functools.cached_property
    def instance(self):
        return self.new_instance(KeyName=self.key_name)

    @functools.cached_property
    def key_name(self):
        return self.new_key()[0]

    @functools.cached_property
    def key_id(self):
        return self.get("keySet/item/keyPairId", "DescribeKeyPairs", KeyNames=[self.key_name])

    @functools.cached_property
    def vpc(self):
        """The default VPC, whatever others a scenario before has left."""
        return self.get("vpcSet/item/vpcId", "DescribeVpcs", Filters=[{"Name": "is-default", "Values": ["true"]}])

    @functools.cached_property
    def subnet(self):
        return self.get("subnetSet/item/subnetId", "DescribeSubnets", Filters=[{"Name": "vpc-id", "Values": [self.vpc]}])

    @functools.cached_property
    def group(self):
        return self.new_group()

    @functools.cached_property
    def group_name(self):
        return self.get("securityGroupInfo/item/groupName", "DescribeSecurityGroups", GroupIds=[self.group])

    @functools.cached_property
    def volume(self):
        """The root volume of the instance."""
        return self.get("volumeSet/item/volumeId", "DescribeVolumes", Filters=[{"Name": "attachment.instance-id", "Values": [self.instance]}])

    @functools.cached_property
    def own_image(self):
        """Private, and brought in by the operator."""
        name = self.name("imported")
        with tempfile.TemporaryDirectory() as folder:
            disk = pathlib.Path(folder, "disk.raw")
            disk.write_bytes(b"\0" * 65536)
            self.daemon.brume("image", "import", str(disk), "--name", name, "--account", self.account)
        self.until("available", "imagesSet/item/imageState", "DescribeImages", **filtered("name", name))
        return self.get("imagesSet/item/imageId", "DescribeImages", **filtered("name", name))

    @functools.cached_property
    def snapshot(self):
        return self.get("imagesSet/item/blockDeviceMapping/item/ebs/snapshotId", "DescribeImages", ImageIds=[self.own_image])

    @functools.cached_property
    def public_key(self):
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(["openssl", "genrsa", "-out", folder + "/key", "2048"], check=True, capture_output=True, timeout=60)
            return subprocess.run(["openssl", "rsa", "-in", folder + "/key", "-pubout"], check=True, capture_output=True, timeout=60).stdout

    @functools.cached_property
    def placement_group(self):
        return self.new_placement_group()

    @functools.cached_property
    def partition_group(self):
        return self.get("placementGroup/groupId", "CreatePlacementGroup", GroupName=self.name("parts"), Strategy="partition", PartitionCount=2)

    @functools.cached_property
    def marked_instance(self):
        """Of an image with a product code."""
        image = self.new_image()
        self.call("ModifyImageAttribute", ImageId=image, ProductCodes=["774F4FF8"])
        return self.new_instance(image=image)

    @functools.cached_property
    def launch_template(self):
        return self.new_launch_template()

    # Made for one request

    def new_launch_template(self, versions=1):
        made = self.get("launchTemplate/launchTemplateId", "CreateLaunchTemplate", LaunchTemplateName=self.name("template"), LaunchTemplateData={
            "InstanceType": "t2.micro", "Monitoring": {"Enabled": True},
            "TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "a", "Value": "b"}]}]})
        for _ in range(versions - 1):
            self.call("CreateLaunchTemplateVersion", LaunchTemplateId=made, LaunchTemplateData={"InstanceType": "t2.small"})
        return made

    def new_placement_group(self):
        name = self.name("placement")
        return name, self.get("placementGroup/groupId", "CreatePlacementGroup", GroupName=name, Strategy="cluster")

    def new_instance(self, state="running", image=None, **more):
        made = self.get("instancesSet/item/instanceId", "RunInstances", ImageId=image or self.image, InstanceType="t2.micro", MinCount=1, MaxCount=1, **more)
        self.until("running", ".//instanceState/name", "DescribeInstances", InstanceIds=[made])
        if state == "stopped":
            self.call("StopInstances", InstanceIds=[made])
            self.until("stopped", ".//instanceState/name", "DescribeInstances", InstanceIds=[made])
        return made

    def new_volume(self):
        """An available one."""
        made = self.get("volumeId", "CreateVolume", AvailabilityZone=conftest.REGION + "a", Size=1)
        self.until("available", "volumeSet/item/status", "DescribeVolumes", VolumeIds=[made])
        return made

    def attached_volume(self):
        """A data volume of a running instance."""
        volume, instance = self.to_attach()
        self.call("AttachVolume", VolumeId=volume, InstanceId=instance, Device="/dev/sdf")
        self.until("attached", "volumeSet/item/attachmentSet/item/status", "DescribeVolumes", VolumeIds=[volume])
        return volume

    def to_attach(self):
        """A volume, and an instance of its zone."""
        return self.new_volume(), self.new_instance(Placement={"AvailabilityZone": conftest.REGION + "a"})

    def new_snapshot(self):
        """A completed one."""
        made = self.get("snapshotId", "CreateSnapshot", VolumeId=self.volume)
        self.until("completed", "snapshotSet/item/status", "DescribeSnapshots", SnapshotIds=[made])
        return made

    def locked_snapshot(self):
        self.call("LockSnapshot", SnapshotId=self.snapshot, LockMode="governance", LockDuration=1)
        return self.snapshot

    def shared_snapshot(self):
        made = self.new_snapshot()
        self.call("ModifySnapshotAttribute", SnapshotId=made, CreateVolumePermission={"Add": [{"UserId": "111122223333"}]})
        return made

    def modified_volume(self):
        made = self.new_volume()
        self.call("ModifyVolume", VolumeId=made, Size=2)
        self.until("completed", "volumeModificationSet/item/modificationState", "DescribeVolumesModifications", VolumeIds=[made])
        return made

    def replaced_root(self):
        made = self.get("replaceRootVolumeTask/replaceRootVolumeTaskId", "CreateReplaceRootVolumeTask", InstanceId=self.new_instance())
        self.until("succeeded", ".//taskState", "DescribeReplaceRootVolumeTasks", ReplaceRootVolumeTaskIds=[made])
        return made

    def new_key(self):
        name = self.name("key")
        return name, self.get("keyPairId", "CreateKeyPair", KeyName=name, KeyType="ed25519")

    def new_group(self):
        return self.get("groupId", "CreateSecurityGroup", GroupName=self.name("group"), Description="a group", VpcId=self.vpc)

    def new_image(self):
        return self.get("imageId", "RegisterImage", Name=self.name("image"), RootDeviceName="/dev/sda1", Architecture="x86_64",
                        VirtualizationType="hvm", BlockDeviceMappings=[{"DeviceName": "/dev/sda1", "Ebs": {"SnapshotId": self.snapshot}}])

    def image_in_use(self):
        assert self.instance
        return self.image

    def shared_image(self):
        image = self.new_image()
        self.call("ModifyImageAttribute", ImageId=image, LaunchPermission={"Add": [{"UserId": "999988887777"}]})
        return image

    def new_rule(self, way="Ingress", group=None):
        """A rule of a group: how it is named, and how it is written."""
        group = group or self.new_group()
        written = permissions(1024 + next(self.numbers))
        rule = self.get("securityGroupRuleSet/item/securityGroupRuleId", f"AuthorizeSecurityGroup{way}", GroupId=group, IpPermissions=written)
        return {"GroupId": group, "SecurityGroupRuleIds": [rule]}, {"GroupId": group, "IpPermissions": written}

    def modified_rule(self):
        made = self.new_rule()[0]
        rule = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 90, "CidrIpv4": "10.0.0.0/8", "Description": "changed"}
        return {"GroupId": made["GroupId"], "SecurityGroupRules": [{"SecurityGroupRuleId": made["SecurityGroupRuleIds"][0], "SecurityGroupRule": rule}]}

    def described_rule(self, way="Ingress"):
        made = self.new_rule(way)[0]
        return {"GroupId": made["GroupId"], "SecurityGroupRuleDescriptions": [{"SecurityGroupRuleId": made["SecurityGroupRuleIds"][0], "Description": "changed"}]}


def permissions(port, **more):
    return [{"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": "10.0.0.0/8", "Description": "inside"}], **more}]


SCENARIOS = {
    # key_pairs
    "CreateKeyPair": [lambda w: {"KeyName": w.name("key"), "KeyType": "ed25519", "TagSpecifications": tagged("key-pair")},
                      lambda w: {"KeyName": w.name("key"), "KeyFormat": "ppk", "KeyType": "ed25519"}],
    "ImportKeyPair": lambda w: {"KeyName": w.name("key"), "PublicKeyMaterial": w.public_key, "TagSpecifications": tagged("key-pair")},
    "DescribeKeyPairs": [lambda w: {"KeyNames": [w.key_name], "IncludePublicKey": True}, lambda w: {"KeyPairIds": [w.key_id]}],
    "DeleteKeyPair": [lambda w: {"KeyName": w.new_key()[0]}, lambda w: {"KeyPairId": w.new_key()[1]}],
    # security_groups
    "CreateSecurityGroup": lambda w: {"GroupName": w.name("group"), "Description": "d", "VpcId": w.vpc, "TagSpecifications": tagged("security-group")},
    "DeleteSecurityGroup": lambda w: {"GroupId": w.new_group()},
    "DescribeSecurityGroups": [lambda w: {"GroupIds": [w.new_rule()[0]["GroupId"]]}, lambda w: filtered("group-name", w.group_name)],
    "AuthorizeSecurityGroupIngress": [
        lambda w: {"GroupId": w.new_group(), "IpPermissions": permissions(22), "TagSpecifications": tagged("security-group-rule")},
        lambda w: {"GroupId": w.new_group(), "IpPermissions": [{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": w.group}]}]}],
    "AuthorizeSecurityGroupEgress": [lambda w: {"GroupId": w.new_group(), "IpPermissions": permissions(80)},
                                     lambda w: {"GroupId": w.new_group(), "IpPermissions": [{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": w.group}]}]}],
    "RevokeSecurityGroupIngress": [lambda w: w.new_rule()[0], lambda w: w.new_rule()[1]],
    "RevokeSecurityGroupEgress": [lambda w: w.new_rule("Egress")[0], lambda w: w.new_rule("Egress")[1]],
    "DescribeSecurityGroupRules": [lambda w: {"SecurityGroupRuleIds": w.new_rule()[0]["SecurityGroupRuleIds"]}, lambda w: filtered("group-id", w.group)],
    "ModifySecurityGroupRules": lambda w: w.modified_rule(),
    "UpdateSecurityGroupRuleDescriptionsIngress": [lambda w: w.described_rule(), lambda w: w.new_rule()[1]],
    "UpdateSecurityGroupRuleDescriptionsEgress": [lambda w: w.described_rule("Egress"), lambda w: w.new_rule("Egress")[1]],
    "GetSecurityGroupsForVpc": [lambda w: {"VpcId": w.vpc}, lambda w: {"VpcId": w.vpc, **filtered("group-name", w.group_name)}],
    # regions
    "DescribeRegions": [lambda w: {"AllRegions": True}, lambda w: {"RegionNames": [conftest.REGION]}],
    "DescribeAvailabilityZones": [lambda w: {"AllAvailabilityZones": True}, lambda w: {"ZoneNames": [conftest.REGION + "a"]}],
    "DescribeAccountAttributes": [lambda w: {}, lambda w: {"AttributeNames": ["default-vpc"]}],
    # instance_types
    "DescribeInstanceTypes": [lambda w: {}, lambda w: {"InstanceTypes": ["t2.micro"]}],
    "DescribeInstanceTypeOfferings": [lambda w: {}, lambda w: {"LocationType": "availability-zone"}],
    "GetInstanceTypesFromInstanceRequirements": lambda w: {
        "ArchitectureTypes": ["x86_64"], "VirtualizationTypes": ["hvm"], "InstanceRequirements": {"VCpuCount": {"Min": 1, "Max": 4}, "MemoryMiB": {"Min": 1024}}},
    # placement_groups
    "CreatePlacementGroup": [lambda w: {"GroupName": w.name("cluster"), "Strategy": "cluster"},
                             lambda w: {"GroupName": w.name("parts"), "Strategy": "partition", "PartitionCount": 2, "TagSpecifications": tagged("placement-group")}],
    "DescribePlacementGroups": [lambda w: {"GroupIds": [w.placement_group[1]]}, lambda w: {"GroupNames": [w.placement_group[0]]}],
    "DeletePlacementGroup": lambda w: {"GroupName": w.new_placement_group()[0]},
    # launch_templates
    "CreateLaunchTemplate": lambda w: {"LaunchTemplateName": w.name("template"), "LaunchTemplateData": {"InstanceType": "t2.micro"},
                                       "TagSpecifications": tagged("launch-template")},
    "CreateLaunchTemplateVersion": lambda w: {"LaunchTemplateId": w.new_launch_template(), "SourceVersion": "1", "LaunchTemplateData": {"EbsOptimized": True}},
    "ModifyLaunchTemplate": lambda w: {"LaunchTemplateId": w.launch_template, "DefaultVersion": "1"},
    "DeleteLaunchTemplate": lambda w: {"LaunchTemplateId": w.new_launch_template()},
    "DeleteLaunchTemplateVersions": lambda w: {"LaunchTemplateId": w.new_launch_template(versions=2), "Versions": ["1", "2"]},
    "DescribeLaunchTemplates": lambda w: {"LaunchTemplateIds": [w.launch_template]},
    "DescribeLaunchTemplateVersions": lambda w: {"LaunchTemplateId": w.launch_template},
    "GetLaunchTemplateData": lambda w: {"InstanceId": w.instance},
    # images
    "DescribeImages": [lambda w: {"ImageIds": [w.image]}, lambda w: {"Owners": ["self"], "ImageIds": [w.own_image]}],
    "RegisterImage": lambda w: {"Name": w.name("image"), "RootDeviceName": "/dev/sda1", "Architecture": "x86_64", "VirtualizationType": "hvm",
                                "BlockDeviceMappings": [{"DeviceName": "/dev/sda1", "Ebs": {"SnapshotId": w.snapshot}}]},
    "DeregisterImage": lambda w: {"ImageId": w.new_image()},
    "CopyImage": lambda w: {"Name": w.name("copy"), "SourceImageId": w.new_image(), "SourceRegion": conftest.REGION, "TagSpecifications": tagged("image") + tagged("snapshot")},
    "DescribeImageAttribute": [lambda w: {"ImageId": w.new_image(), "Attribute": "description"},
                               lambda w: {"ImageId": w.shared_image(), "Attribute": "launchPermission"}],
    "ModifyImageAttribute": [lambda w: {"ImageId": w.new_image(), "LaunchPermission": {"Add": [{"UserId": "999988887777"}, {"Group": "all"}]}},
                             lambda w: {"ImageId": w.new_image(), "Description": {"Value": "another <&> one"}}],
    "ResetImageAttribute": lambda w: {"ImageId": w.shared_image(), "Attribute": "launchPermission"},
    "EnableImage": lambda w: {"ImageId": w.new_image()},
    "DisableImage": lambda w: {"ImageId": w.new_image()},
    "EnableImageDeprecation": lambda w: {"ImageId": w.new_image(), "DeprecateAt": "2030-01-01T00:00:00Z"},
    "DisableImageDeprecation": lambda w: {"ImageId": w.new_image()},
    "EnableImageDeregistrationProtection": lambda w: {"ImageId": w.new_image(), "WithCooldown": True},
    "DisableImageDeregistrationProtection": lambda w: {"ImageId": w.new_image()},
    "EnableImageBlockPublicAccess": lambda w: {"ImageBlockPublicAccessState": "block-new-sharing"},
    "DisableImageBlockPublicAccess": lambda w: {},
    "GetImageBlockPublicAccessState": lambda w: {},
    "DescribeImageReferences": lambda w: {"ImageIds": [w.image_in_use()], "ResourceTypes": [
        {"ResourceType": "ec2:Instance", "ResourceTypeOptions": [{"OptionName": "state-name", "OptionValues": ["running"]}]}]},
    # recycle_bin
    "ListImagesInRecycleBin": lambda w: {},
    "ListSnapshotsInRecycleBin": lambda w: {},
    "ListVolumesInRecycleBin": lambda w: {},
    # id_formats
    "DescribeIdFormat": [lambda w: {}, lambda w: {"Resource": "instance"}],
    "DescribeIdentityIdFormat": lambda w: {"PrincipalArn": f"arn:aws:iam::{w.account}:root"},
    "DescribeAggregateIdFormat": lambda w: {},
    "DescribePrincipalIdFormat": [lambda w: {}, lambda w: {"Resources": ["vpc"], "MaxResults": 5}],
    "ModifyIdFormat": lambda w: {"Resource": "instance", "UseLongIds": True},
    "ModifyIdentityIdFormat": lambda w: {"Resource": "instance", "UseLongIds": True, "PrincipalArn": "all"},
    # product_codes
    "ConfirmProductInstance": lambda w: {"InstanceId": w.marked_instance, "ProductCode": "774F4FF8"},
    # instances
    "RunInstances": [
        lambda w: {"ImageId": w.image, "InstanceType": "t2.micro", "MinCount": 1, "MaxCount": 2, "KeyName": w.key_name, "SubnetId": w.subnet,
                   "SecurityGroupIds": [w.group], "TagSpecifications": tagged("instance") + tagged("volume"), "UserData": base64.b64encode(b"#!/bin/sh").decode()},
        lambda w: {"ImageId": w.own_image, "MinCount": 1, "MaxCount": 1, "InstanceType": "t2.micro",
                   "NetworkInterfaces": [{"DeviceIndex": 0, "SubnetId": w.subnet, "Groups": [w.group]}]}],
    "DescribeInstances": [lambda w: {"InstanceIds": [w.instance]}, lambda w: filtered("instance-id", w.instance),
                          lambda w: {"InstanceIds": [w.new_instance("stopped")]}],
    "StartInstances": lambda w: {"InstanceIds": [w.new_instance("stopped")]},
    "StopInstances": lambda w: {"InstanceIds": [w.new_instance()], "Force": True},
    "RebootInstances": lambda w: {"InstanceIds": [w.instance]},
    "TerminateInstances": lambda w: {"InstanceIds": [w.new_instance()]},
    # instance_attributes
    "DescribeInstanceAttribute": [functools.partial(lambda name, w: {"InstanceId": w.instance, "Attribute": name}, name) for name in (
        "instanceType", "kernel", "ramdisk", "userData", "disableApiTermination", "instanceInitiatedShutdownBehavior", "rootDeviceName",
        "blockDeviceMapping", "productCodes", "sourceDestCheck", "groupSet", "ebsOptimized", "sriovNetSupport", "enclaveOptions", "disableApiStop")],
    "ModifyInstanceAttribute": [
        lambda w: {"InstanceId": w.instance, "Attribute": "disableApiTermination", "Value": "false"},
        lambda w: {"InstanceId": w.new_instance("stopped"), "InstanceType": {"Value": "t2.small"}},
        lambda w: {"InstanceId": w.new_instance(), "Groups": [w.group]},
        lambda w: {"InstanceId": w.instance, "BlockDeviceMappings": [{"DeviceName": "/dev/sda1", "Ebs": {"DeleteOnTermination": True}}]}],
    "ResetInstanceAttribute": lambda w: {"InstanceId": w.instance, "Attribute": "sourceDestCheck"},
    # instance_status
    "DescribeInstanceStatus": [lambda w: {"InstanceIds": [w.instance]}, lambda w: {"InstanceIds": [w.new_instance("stopped")], "IncludeAllInstances": True}],
    "ReportInstanceStatus": lambda w: {"Instances": [w.instance], "Status": "impaired", "ReasonCodes": ["unresponsive"], "Description": "<silent>"},
    # instance_options
    "MonitorInstances": lambda w: {"InstanceIds": [w.instance]},
    "UnmonitorInstances": lambda w: {"InstanceIds": [w.instance]},
    "ModifyInstanceMetadataOptions": lambda w: {"InstanceId": w.instance, "HttpTokens": "optional"},
    "ModifyInstancePlacement": [
        lambda w: {"InstanceId": w.new_instance("stopped"), "Tenancy": "default"},
        lambda w: {"InstanceId": w.new_instance("stopped"), "GroupId": w.partition_group, "PartitionNumber": 2}],
    "ModifyInstanceCreditSpecification": lambda w: {"InstanceCreditSpecifications": [{"InstanceId": w.instance, "CpuCredits": "unlimited"}]},
    "DescribeInstanceCreditSpecifications": lambda w: {"InstanceIds": [w.instance]},
    "ModifyInstanceMaintenanceOptions": lambda w: {"InstanceId": w.instance, "AutoRecovery": "default"},
    "ModifyPrivateDnsNameOptions": lambda w: {"InstanceId": w.instance, "PrivateDnsHostnameType": "ip-name"},
    "ModifyInstanceCapacityReservationAttributes": lambda w: {
        "InstanceId": w.new_instance("stopped"), "CapacityReservationSpecification": {"CapacityReservationPreference": "none"}},
    "ModifyInstanceCpuOptions": lambda w: {"InstanceId": w.new_instance("stopped"), "CoreCount": 1, "ThreadsPerCore": 1},
    # metadata_defaults
    "ModifyInstanceMetadataDefaults": lambda w: {"HttpTokens": "no-preference", "HttpPutResponseHopLimit": 2},
    "GetInstanceMetadataDefaults": lambda w: {},
    # consoles
    "GetConsoleOutput": lambda w: {"InstanceId": w.instance},
    "GetConsoleScreenshot": lambda w: {"InstanceId": w.instance, "WakeUp": True},
    "GetPasswordData": lambda w: {"InstanceId": w.instance},
    "GetInstanceUefiData": lambda w: {"InstanceId": w.instance},
    **network_scenarios.SCENARIOS,
    # volumes
    "CreateVolume": [
        lambda w: {"AvailabilityZone": conftest.REGION + "a", "Size": 10, "VolumeType": "gp3", "Iops": 3500, "Throughput": 130,
                   "TagSpecifications": tagged("volume")},
        lambda w: {"AvailabilityZone": conftest.REGION + "a", "SnapshotId": w.snapshot}],
    "DeleteVolume": lambda w: {"VolumeId": w.new_volume()},
    "DescribeVolumes": [lambda w: {"VolumeIds": [w.volume]}, lambda w: filtered("volume-id", w.volume)],
    "AttachVolume": lambda w: dict(zip(("VolumeId", "InstanceId"), w.to_attach()), Device="/dev/sdf"),
    "DetachVolume": lambda w: {"VolumeId": w.attached_volume()},
    "ModifyVolume": lambda w: {"VolumeId": w.new_volume(), "Size": 2},
    "DescribeVolumesModifications": lambda w: {"VolumeIds": [w.modified_volume()]},
    "DescribeVolumeStatus": [lambda w: {"VolumeIds": [w.volume]}, lambda w: filtered("volume-status.status", "ok")],
    "DescribeVolumeAttribute": lambda w: {"VolumeId": w.volume, "Attribute": "autoEnableIO"},
    "ModifyVolumeAttribute": lambda w: {"VolumeId": w.volume, "AutoEnableIO": {"Value": True}},
    "EnableVolumeIO": lambda w: {"VolumeId": w.volume},
    # root volumes
    "CreateReplaceRootVolumeTask": lambda w: {"InstanceId": w.new_instance(), "DeleteReplacedRootVolume": True,
                                              "TagSpecifications": tagged("replace-root-volume-task")},
    "DescribeReplaceRootVolumeTasks": lambda w: {"ReplaceRootVolumeTaskIds": [w.replaced_root()]},
    # snapshots
    "CreateSnapshot": lambda w: {"VolumeId": w.volume, "Description": "d", "TagSpecifications": tagged("snapshot")},
    "CreateSnapshots": lambda w: {"InstanceSpecification": {"InstanceId": w.instance}, "CopyTagsFromSource": "volume", "TagSpecifications": tagged("snapshot")},
    "CopySnapshot": lambda w: {"SourceRegion": conftest.REGION, "SourceSnapshotId": w.snapshot, "TagSpecifications": tagged("snapshot")},
    "DeleteSnapshot": lambda w: {"SnapshotId": w.new_snapshot()},
    "DescribeSnapshots": [lambda w: {"SnapshotIds": [w.snapshot]}, lambda w: {"OwnerIds": ["self"], "RestorableByUserIds": ["self"]}],
    "LockSnapshot": [lambda w: {"SnapshotId": w.snapshot, "LockMode": "governance", "LockDuration": 1},
                     lambda w: {"SnapshotId": w.snapshot, "LockMode": "compliance", "CoolOffPeriod": 2, "ExpirationDate": "2099-01-01T00:00:00Z"}],
    "UnlockSnapshot": lambda w: {"SnapshotId": w.locked_snapshot()},
    "DescribeLockedSnapshots": lambda w: {"SnapshotIds": [w.locked_snapshot()]},
    "DescribeSnapshotAttribute": lambda w: {"SnapshotId": w.shared_snapshot(), "Attribute": "createVolumePermission"},
    "ModifySnapshotAttribute": [
        lambda w: {"SnapshotId": w.snapshot, "CreateVolumePermission": {"Add": [{"UserId": "111122223333"}]}},
        lambda w: {"SnapshotId": w.snapshot, "Attribute": "createVolumePermission", "OperationType": "remove", "UserIds": ["111122223333"]}],
    "ResetSnapshotAttribute": lambda w: {"SnapshotId": w.shared_snapshot(), "Attribute": "createVolumePermission"},
    "EnableSnapshotBlockPublicAccess": lambda w: {"State": "block-new-sharing"},
    "DisableSnapshotBlockPublicAccess": lambda w: {},
    "GetSnapshotBlockPublicAccessState": lambda w: {},
    # ebs_encryption
    "EnableEbsEncryptionByDefault": lambda w: {},
    "DisableEbsEncryptionByDefault": lambda w: {},
    "GetEbsEncryptionByDefault": lambda w: {},
    "GetEbsDefaultKmsKeyId": lambda w: {},
    "ModifyEbsDefaultKmsKeyId": lambda w: {"KmsKeyId": "alias/aws/ebs"},
    "ResetEbsDefaultKmsKeyId": lambda w: {},
    # image_creation
    "CreateImage": [lambda w: {"InstanceId": w.instance, "Name": w.name("created"), "NoReboot": True, "TagSpecifications": tagged("image") + tagged("snapshot")},
                    lambda w: {"InstanceId": w.new_instance("stopped"), "Name": w.name("created"), "Description": "d",
                               "BlockDeviceMappings": [{"DeviceName": "/dev/sdb", "VirtualName": "ephemeral0"}]}],
    # tags
    "CreateTags": [lambda w: {"Resources": [w.instance, w.volume], "Tags": [{"Key": "a<b", "Value": "c&d"}]}],
    "DeleteTags": lambda w: {"Resources": [w.instance], "Tags": [{"Key": "nothing"}]},
    "DescribeTags": lambda w: {"Filters": [{"Name": "resource-id", "Values": [tagged_group(w)]}]},
    # sts
    "GetCallerIdentity": lambda w: {},
}

# Lists of an answer that are empty although the case is a good one.
MAY_BE_EMPTY = {"ListImagesInRecycleBin": {"Images"}, "ListSnapshotsInRecycleBin": {"Snapshots"}, "ListVolumesInRecycleBin": {"Volumes"},
                "DescribeInstanceAttribute": {"ProductCodes"}, "DescribeVolumeAttribute": {"ProductCodes"},
                "DescribeSnapshotAttribute": {"ProductCodes"}, "DescribeNetworkInterfaceAttribute": {"Groups"}}


def tagged_group(world):
    group = world.new_group()
    world.call("CreateTags", Resources=[group], Tags=[{"Key": "k", "Value": "v"}])
    return group


def cases_of(operation):
    cases = SCENARIOS.get(operation)
    assert cases, f"{operation} is built and has no line in tests/api/model_scenarios.py"
    return cases if isinstance(cases, list) else [cases]


def all_cases():
    """(operation, number) for each case of each built operation; one without a case is there too, and fails."""
    found = []
    for operation in service_model.built():
        cases = SCENARIOS.get(operation, [None])
        found += [(operation, at) for at in range(len(cases) if isinstance(cases, list) else 1)]
    return found
