"""Requests signed by hand, so that they can be wrong in one thing at a time."""
import base64
import datetime
import hashlib
import hmac
import http.client
import urllib.parse

import botocore.auth
import botocore.awsrequest
import botocore.credentials

from conftest import NEW, OLD, REGION, Answer

FORM = "application/x-www-form-urlencoded; charset=utf-8"


def now(**shift):
    return datetime.datetime.utcnow() + datetime.timedelta(**shift)


def send(endpoint, method="GET", target="/", body=b"", headers=None):
    """One request as it is given; the answer's document."""
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(endpoint).netloc, timeout=30)
    try:
        connection.request(method, target, body, headers or {})
        response = connection.getresponse()
        return Answer(response.status, response.read())
    finally:
        connection.close()


class Signer:
    """Signature version 4 by botocore's own code, at a time of choice."""

    def __init__(self, daemon, keys=None, service="ec2", token=None, region=REGION):
        keys = keys or daemon.keys
        self.daemon, self.service, self.region = daemon, service, region
        self.credentials = botocore.credentials.Credentials(keys.key_id, keys.secret, token)

    def _at(self, time, auth, request):
        class Clock(datetime.datetime):
            @classmethod
            def utcnow(cls):
                return time or now()

        kept = botocore.auth.datetime
        botocore.auth.datetime = type("module", (), {"datetime": Clock, "timedelta": datetime.timedelta})
        try:
            auth.add_auth(request)
        finally:
            botocore.auth.datetime = kept
        return request

    def post(self, time=None, change=None, version=NEW, **fields):
        """`change` alters the signed request before it is sent."""
        body = urllib.parse.urlencode({"Action": "DescribeRegions", "Version": version, **fields})
        request = botocore.awsrequest.AWSRequest("POST", self.daemon.endpoint + "/", {"Content-Type": FORM}, body)
        self._at(time, botocore.auth.SigV4Auth(self.credentials, self.service, self.region), request)
        prepared = {"method": "POST", "target": "/", "body": body.encode(), "headers": dict(request.headers.items())}
        if change:
            change(prepared)
        return send(self.daemon.endpoint, **prepared)

    def presigned(self, expires=60, time=None, version=NEW, **fields):
        """A URL that anybody may get while it lasts."""
        query = urllib.parse.urlencode({"Action": "DescribeRegions", "Version": version, **fields}, quote_via=urllib.parse.quote)
        request = botocore.awsrequest.AWSRequest("GET", f"{self.daemon.endpoint}/?{query}")
        self._at(time, botocore.auth.SigV4QueryAuth(self.credentials, self.service, self.region, expires), request)
        return request.url


def version_2(daemon, method="GET", digest="HmacSHA256", keys=None, host=None, **fields):
    """Signature version 2 as the guide explains it (OPS-082): the fields, the signature among them. A field that is None is left out."""
    keys = keys or daemon.keys
    where = host or urllib.parse.urlsplit(daemon.endpoint).netloc
    fields = {"Action": "DescribeRegions", "Version": OLD, "AWSAccessKeyId": keys.key_id, "SignatureVersion": "2", "SignatureMethod": digest,
              "Timestamp": now().strftime("%Y-%m-%dT%H:%M:%SZ"), **fields}
    fields = {name: value for name, value in fields.items() if value is not None}
    text = "&".join(urllib.parse.quote(name, safe="-_.~") + "=" + urllib.parse.quote(value, safe="-_.~") for name, value in sorted(fields.items()))
    to_sign = f"{method}\n{where.lower()}\n/\n{text}".encode()
    algorithm = hashlib.sha1 if digest == "HmacSHA1" else hashlib.sha256
    return {**fields, "Signature": base64.b64encode(hmac.new(keys.secret.encode(), to_sign, algorithm).digest()).decode()}


def get(daemon, fields):
    return send(daemon.endpoint, target="/?" + urllib.parse.urlencode(fields))


def post(daemon, fields):
    return send(daemon.endpoint, "POST", body=urllib.parse.urlencode(fields).encode(), headers={"Content-Type": FORM})
