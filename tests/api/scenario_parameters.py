"""Parameters that many cases of model_scenarios.py have."""


def tagged(kind):
    return [{"ResourceType": kind, "Tags": [{"Key": "made-by", "Value": "model <&> test"}]}]


def filtered(name, value):
    return {"Filters": [{"Name": name, "Values": [value]}]}
