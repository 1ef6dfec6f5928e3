"""DescribeImageReferences. Debian's boto3 does not know it: it is asked by hand."""
import pytest

from conftest import NEW

KINDS = {"instance": "ec2:Instance", "template": "ec2:LaunchTemplate"}


@pytest.fixture
def references(daemon, ec2):
    def ask(*images, keys=None, **more):
        named = {f"ImageId.{number}": image for number, image in enumerate(images, 1)}
        asked = {name.replace("_", "."): value for name, value in more.items()}
        answer = daemon.query("DescribeImageReferences", NEW, {**named, **asked}, AWSAccessKeyId=(keys or daemon.keys).key_id)
        if answer.status != 200:
            return answer.code
        item = "imageReferenceSet/item/"
        return list(zip(answer.texts(item + "imageId"), answer.texts(item + "resourceType"), answer.texts(item + "arn"))), answer.texts("nextToken")

    return ask


def arn(noun, one, account="123456789012"):
    return f"arn:aws:ec2:us-east-1:{account}:{noun}/{one}"


def test_what_names_an_image(ec2, ami, launch, in_state, references, other_account, other):
    running, stopped = launch()["InstanceId"], launch()["InstanceId"]
    ec2.stop_instances(InstanceIds=[stopped])
    in_state("stopped", stopped)
    other.run_instances(ImageId=ami, MinCount=1, MaxCount=1)
    template = ec2.create_launch_template(LaunchTemplateName="web", LaunchTemplateData={"ImageId": ami})["LaunchTemplate"]["LaunchTemplateId"]
    for _ in range(2):
        ec2.create_launch_template_version(LaunchTemplateId=template, LaunchTemplateData={"InstanceType": "t2.micro"})
    ec2.create_launch_template(LaunchTemplateName="none", LaunchTemplateData={"InstanceType": "t2.micro"})
    instances = [(ami, KINDS["instance"], arn("instance", one)) for one in sorted((running, stopped))]
    templates = [(ami, KINDS["template"], arn("launch-template", template))]
    assert references(ami, IncludeAllResourceTypes="true") == (instances + templates, [])
    instance, of_template = {"ResourceType_1_ResourceType": KINDS["instance"]}, {"ResourceType_1_ResourceType": KINDS["template"]}
    assert references(ami, **instance)[0] == instances and references(ami, **of_template)[0] == templates
    option = {"ResourceType_1_ResourceTypeOption_1_OptionName": "state-name", "ResourceType_1_ResourceTypeOption_1_OptionValue_1": "stopped"}
    assert references(ami, **instance, **option)[0] == [(ami, KINDS["instance"], arn("instance", stopped))]
    # The oldest of three versions names it.
    option = {"ResourceType_1_ResourceTypeOption_1_OptionName": "version-depth", "ResourceType_1_ResourceTypeOption_1_OptionValue_1": "2"}
    assert references(ami, **of_template, **option)[0] == []
    option["ResourceType_1_ResourceTypeOption_1_OptionValue_1"] = "3"
    assert references(ami, **of_template, **option)[0] == templates
    assert references(ami, ResourceType_1_ResourceType="ssm:Parameter")[0] == []
    ((theirs, *_),) = [references(ami, IncludeAllResourceTypes="true", keys=other_account)[0]]
    assert theirs[2].split(":")[4] == other_account.account


def test_pages_of_references(ec2, ami, references):
    made = sorted(one["InstanceId"] for one in ec2.run_instances(ImageId=ami, MinCount=12, MaxCount=12)["Instances"])
    seen, token = [], {}
    for size in (5, 5, 2):
        page, next_token = references(ami, IncludeAllResourceTypes="true", MaxResults="5", **token)
        assert len(page) == size
        seen += [one[2].rpartition("/")[2] for one in page]
        token = {"NextToken": next_token[0]} if next_token else None
    assert seen == made and token is None


@pytest.mark.parametrize(
    "code, parameters",
    [
        ("InvalidParameterCombination", {}), ("InvalidParameterValue", {"ResourceType_1_ResourceType": "ec2:Volume"}),
        ("MissingParameter", {"ResourceType_1_ResourceTypeOption_1_OptionName": "state-name"}),
        ("InvalidParameterValue", {"ResourceType_1_ResourceType": "ec2:Instance", "ResourceType_1_ResourceTypeOption_1_OptionName": "colour"}),
        ("InvalidParameterValue", {"ResourceType_1_ResourceType": "ec2:Instance", "ResourceType_1_ResourceTypeOption_1_OptionName": "state-name",
                                   "ResourceType_1_ResourceTypeOption_1_OptionValue_1": "asleep"}),
        ("InvalidParameterValue", {"ResourceType_1_ResourceType": "ec2:LaunchTemplate", "ResourceType_1_ResourceTypeOption_1_OptionName": "version-depth",
                                   "ResourceType_1_ResourceTypeOption_1_OptionValue_1": "10001"}),
    ],
    ids=str,
)
def test_what_cannot_be_asked(ami, references, code, parameters):
    assert references(ami, **parameters) == code


def test_images_that_cannot_be_asked_after(ami, references):
    assert references("ami-0123456789abcdef0", IncludeAllResourceTypes="true") == "InvalidAMIID.NotFound"
    assert references("ami-1", IncludeAllResourceTypes="true") == "InvalidAMIID.Malformed"
    assert references(*[ami] * 11, IncludeAllResourceTypes="true") == "InvalidParameterValue"
