"""What goes over the wire: HTTP, parameters, versions, error documents, limits, and trouble (OPS-079, OPS-081, OPS-088)."""
import contextlib
import re
import resource
import socket
import time
import urllib.parse
import xml.etree.ElementTree as ElementTree

import pytest

from conftest import NEW, OLD, talk
from signing import FORM, send

REGIONS = f"Action=DescribeRegions&Version={OLD}"
NOW = f"Action=DescribeRegions&Version={NEW}"
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


@pytest.fixture
def alive(daemon):
    """The daemon goes on, whatever a test did to it."""
    yield daemon
    assert send(daemon.endpoint, target="/?" + REGIONS).status == 200


def get(daemon, query, **headers):
    return send(daemon.endpoint, target="/?" + query, headers=headers)


def post(daemon, body, content_type=FORM, target="/"):
    return send(daemon.endpoint, "POST", target, body.encode() if isinstance(body, str) else body, {"Content-Type": content_type} if content_type else {})


def connect(daemon, seconds=10):
    where = urllib.parse.urlsplit(daemon.endpoint)
    return socket.create_connection((where.hostname, where.port), timeout=seconds)


def read_answer(connection, kept=b""):
    """One answer: status, headers, body, and what came after it."""
    data = kept
    while b"\r\n\r\n" not in data:
        chunk = connection.recv(65536)
        assert chunk, data
        data += chunk
    head, data = data.split(b"\r\n\r\n", 1)
    lines = head.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines[1:])}
    length = int(headers["content-length"])
    while len(data) < length:
        data += connection.recv(65536)
    return int(lines[0].split()[1]), headers, data[:length], data[length:]


# Requests and answers


def test_get_and_post_and_both(alive):
    for answer in (get(alive, REGIONS), post(alive, REGIONS), post(alive, "Action=DescribeRegions", target=f"/?Version={OLD}")):
        assert answer.status == 200 and answer.texts(".//regionName") == ["us-east-1"]
    assert post(alive, REGIONS, "application/x-www-form-urlencoded").status == 200
    assert post(alive, REGIONS, "Application/X-WWW-Form-URLencoded;charset=UTF-8").status == 200
    assert post(alive, b"", None, target="/?" + REGIONS).status == 200


@pytest.mark.parametrize("version", [OLD, NEW, "2009-04-04", "2014-10-01"])
def test_an_answer_is_of_the_version_asked_for(alive, version):
    answer = get(alive, f"Action=DescribeRegions&Version={version}")
    assert ElementTree.fromstring(answer.body).tag == f"{{http://ec2.amazonaws.com/doc/{version}/}}DescribeRegionsResponse"
    assert re.fullmatch(UUID, answer.texts("requestId")[0])


def test_every_request_has_an_id(alive):
    with connect(alive) as connection:
        seen = set()
        for query in (REGIONS, REGIONS, "Action=Frobnicate&Version=" + OLD):
            connection.sendall(f"GET /?{query} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            _, headers, body, _ = read_answer(connection)
            (shown,) = re.findall(rf"<requestId>({UUID})<|<RequestID>({UUID})<", body.decode())
            assert headers["x-amzn-requestid"] in shown and headers["content-type"].startswith("text/xml")
            seen.add(headers["x-amzn-requestid"])
        assert len(seen) == 3


def test_error_document(alive):
    answer = get(alive, "Action=DescribeInstances&Version=2011-12-01&InstanceId.1=i-%3Cb%3E%26%22")
    assert answer.body.startswith(b'<?xml version="1.0" encoding="UTF-8"?>') and b"<b>" not in answer.body
    assert answer.tree.tag == "Response" and [child.tag for child in answer.tree] == ["Errors", "RequestID"]
    assert [child.tag for child in answer.tree.find("Errors/Error")] == ["Code", "Message"]
    assert answer.code == "InvalidInstanceID.Malformed" and 'i-<b>&"' in answer.texts(".//Message")[0]


def test_what_cannot_stand_in_xml(alive):
    """Control characters and broken UTF-8 in, a document that can be parsed out."""
    for bad in ("%00", "%01%1F", "%FF%FE", "%ED%A0%80", "%C3", "%EF%BF%BF"):
        answer = get(alive, f"Action=DescribeInstances&Version=2011-12-01&InstanceId.1=i-{bad}")
        assert answer.code == "InvalidInstanceID.Malformed"
        assert get(alive, f"Action={bad}&Version=2011-12-01").code == "InvalidAction"
        assert get(alive, f"Action=DescribeRegions&Version=2011-12-01&Filter.1.Name=region-name&Filter.1.Value={bad}").status in (200, 400)


@pytest.mark.parametrize(
    "code, query",
    [
        ("MissingAction", "Version=2011-12-01"),
        ("MissingAction", "Action=&Version=2011-12-01"),
        ("MissingAction", ""),
        ("MissingParameter", "Action=DescribeRegions"),
        ("NoSuchVersion", "Action=DescribeRegions&Version=2031-01-01"),
        ("NoSuchVersion", "Action=DescribeRegions&Version=2006-06-26"),
        ("NoSuchVersion", "Action=DescribeRegions&Version=latest"),
        ("NoSuchVersion", "Action=DescribeRegions&Version=%3Cscript%3E"),
        ("InvalidAction", "Action=Frobnicate&Version=2011-12-01"),
        ("InvalidAction", "Action=describeregions&Version=2011-12-01"),
        ("InvalidAction", "Action=" + "x" * 5000 + "&Version=2011-12-01"),
        ("UnsupportedOperation", "Action=BundleInstance&Version=2011-12-01&InstanceId=i-01234567"),
        ("UnsupportedOperation", "Action=CreateFleet&Version=2016-11-15"),
        ("InvalidAction", "Action=CreateFleet&Version=2011-12-01"),
        ("UnknownParameter", REGIONS + "&Colour=red"),
        ("UnknownParameter", REGIONS + "&Filter.1.Colour=red"),
        ("UnknownParameter", REGIONS + "&RegionName.one=us-east-1"),
        ("MalformedQueryString", REGIONS + "&%zz=1"),
        ("MalformedQueryString", REGIONS + "&a=%2"),
        ("MalformedQueryString", REGIONS + "&=1"),
        ("MalformedQueryString", REGIONS + "&DryRun=true&DryRun=false"),
        ("MalformedQueryString", REGIONS + "&" + "a" * 300 + "=1"),
        ("MalformedQueryString", REGIONS + "&" + "a." * 20 + "a=1"),
        ("InvalidParameterValue", NOW + "&DryRun=perhaps"),
        ("MissingParameter", REGIONS + "&Filter.1.Value.1=x"),
    ],
    ids=lambda value: value[:50],
)
def test_what_is_wrong_with_a_query(alive, code, query):
    for answer in (get(alive, query), post(alive, query)):
        assert (answer.status, answer.code) == (400, code), answer.body
        assert len(answer.body) < 2000


def test_odd_but_good_queries(alive):
    for query in (REGIONS + "&", "&&" + REGIONS, REGIONS + "&RegionName.1=us-east-1&RegionName.1=us-east-1", REGIONS + "&RegionName.7=us-east-1",
                  REGIONS + "&RegionName.0=us-east-1", REGIONS + "&RegionName=us-east-1", REGIONS + "&RegionName.1=us%2Deast%2d1",
                  REGIONS.replace("Action", "%41ction"), NOW + "&DryRun=0", REGIONS + "&Filter.1.Name=region-name&Filter.1.Value.1=us-east-1"):
        assert get(alive, query).texts(".//regionName") == ["us-east-1"], query


def test_ten_thousand_parameters_and_no_more(alive):
    def body(count):
        return REGIONS + "".join(f"&Filter.1.Value.{i}=us-east-1" for i in range(1, count + 1)) + "&Filter.1.Name=region-name"

    assert post(alive, body(200)).status == 200
    assert post(alive, body(201)).code == "FilterLimitExceeded"
    assert post(alive, body(10_001)).code == "MalformedQueryString"


# HTTP


def test_a_connection_is_kept(alive):
    with connect(alive) as connection:
        for i in range(20):
            body = REGIONS.encode()
            if i % 2:
                connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s" % (FORM.encode(), len(body), body))
            else:
                connection.sendall(b"GET /?" + body + b" HTTP/1.1\r\nHost: x\r\n\r\n")
            status, headers, _, rest = read_answer(connection)
            assert status == 200 and rest == b"" and headers.get("connection", "keep-alive").lower() != "close"


def test_requests_one_behind_the_other(alive):
    with connect(alive) as connection:
        queries = [REGIONS, f"Action=DescribeVpcs&Version={OLD}", f"Action=Frobnicate&Version={OLD}", f"Action=DescribeKeyPairs&Version={OLD}"]
        connection.sendall(b"".join(f"GET /?{query} HTTP/1.1\r\nHost: x\r\n\r\n".encode() for query in queries))
        kept, bodies = b"", []
        for _ in queries:
            _, _, body, kept = read_answer(connection, kept)
            bodies.append(body)
    for body, inside in zip(bodies, (b"DescribeRegionsResponse", b"DescribeVpcsResponse", b"InvalidAction", b"DescribeKeyPairsResponse")):
        assert inside in body


def test_http_1_0(alive):
    received = talk(alive.endpoint, f"GET /?{REGIONS} HTTP/1.0\r\nHost: x\r\n\r\n".encode())
    assert received.split()[1] == b"200" and b"DescribeRegionsResponse" in received


def test_close_is_obeyed(alive):
    received = talk(alive.endpoint, f"GET /?{REGIONS} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert received.split()[1] == b"200" and received.endswith(b"</DescribeRegionsResponse>")


def test_a_body_in_chunks_and_with_expect(alive):
    body = REGIONS.encode()
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:7], body[7:])) + b"0\r\n\r\n"
    with connect(alive) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Type: " + FORM.encode() + b"\r\n\r\n" + chunks)
        assert read_answer(connection)[0] == 200
        connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n" % (FORM.encode(), len(body)))
        assert connection.recv(1024).startswith(b"HTTP/1.1 100")
        connection.sendall(body)
        assert read_answer(connection)[0] == 200


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
def test_other_methods(alive, method):
    answer = send(alive.endpoint, method, "/?" + REGIONS)
    assert answer.status == 405 and answer.code == "InvalidRequest"


@pytest.mark.parametrize("kind", ["application/json", "text/xml", "multipart/form-data; boundary=x", "application/x-www-form-urlencodedx", None])
def test_other_content(alive, kind):
    answer = post(alive, '{"Action": "DescribeRegions"}', kind)
    assert (answer.status, answer.code) == (415, "UnsupportedMediaType")


def test_ten_megabytes(alive):
    """A clean answer, though the body is not read; the connection then ends."""
    with connect(alive) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: 10485760\r\n\r\n" % FORM.encode())
        status, _, body, _ = read_answer(connection)
        assert status == 413 and b"<Code>RequestEntityTooLarge</Code>" in body
    big = send(alive.endpoint, "POST", body=b"a" * (1 << 20) + b"&" + REGIONS.encode(), headers={"Content-Type": FORM})
    assert big.status == 413


def test_almost_a_megabyte(alive):
    body = REGIONS + "&Filter.1.Name=region-name&Filter.1.Value.1=us-*&Filter.1.Value.2=" + "x" * 1_000_000
    assert post(alive, body).texts(".//regionName") == ["us-east-1"]


def test_headers_too_large(alive):
    received = talk(alive.endpoint, f"GET /?{REGIONS} HTTP/1.1\r\nHost: x\r\nX-Long: {'x' * 20000}\r\n\r\n".encode())
    assert received.split()[1] == b"431" and b"<Code>" in received
    assert get(alive, REGIONS + "&" + "x" * 20000 + "=1").status == 431


@pytest.mark.parametrize(
    "data",
    [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"NONSENSE\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
     b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
     b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
     b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     # Two readings of one request: a coding that is not undone, one with a parameter, two headers, folded lines.
     *(b"POST /ping HTTP/1.1\r\nHost: x\r\n" + odd + b"\r\n\r\n0\r\n\r\n" for odd in (
         b"Transfer-Encoding: gzip, chunked", b"Transfer-Encoding: chunked;q=1", b"Transfer-Encoding: chunked, chunked",
         b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", b"Transfer-Encoding:\r\n chunked", b"Transfer-Encoding: identity",
         b"X: a\r\n b\r\nContent-Length: 5", b"X: a\r\n\tb\r\nContent-Length: 5"))],
    ids=lambda data: repr(data)[:40],
)
def test_what_is_not_http(alive, data):
    status = int(talk(alive.endpoint, data).split()[1])
    assert 400 <= status < 500


def test_half_a_request_then_silence(alive):
    """Others are served meanwhile; the silent one is told off after the time for a request."""
    silent = [connect(alive, 40) for _ in range(3)]
    silent[0].sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nAction=")
    silent[1].sendall(b"GET /?Action=Desc")
    began = time.monotonic()
    assert get(alive, REGIONS).status == 200 and time.monotonic() - began < 5
    # Closed by us in the middle: nothing to answer, nothing to fall over.
    for connection in silent:
        connection.close()


def test_silence_is_answered_in_the_end(alive):
    with connect(alive, 40) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nAction=")
        began = time.monotonic()
        status, _, body, _ = read_answer(connection)
        assert status == 408 and b"<Code>RequestTimeout</Code>" in body and 10 < time.monotonic() - began < 30


def test_a_connection_that_goes_away_while_it_is_answered(alive):
    for _ in range(20):
        with connect(alive) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            connection.sendall(f"GET /?Action=CreateKeyPair&KeyName=gone&KeyType=ed25519&Version={NEW} HTTP/1.1\r\nHost: x\r\n\r\n".encode())


@contextlib.contextmanager
def many_connections(daemon, count, first_bytes=b""):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    with contextlib.ExitStack() as ending:
        ending.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        made = []
        for _ in range(count):
            made.append(ending.enter_context(connect(daemon)))
            if first_bytes:
                # What the server has closed already may say so here.
                with contextlib.suppress(OSError):
                    made[-1].sendall(first_bytes)
        yield made


def test_more_connections_than_there_may_be(alive):
    """The oldest idle one makes room."""
    with many_connections(alive, 1100) as idle:
        begun = time.monotonic()
        assert get(alive, REGIONS).status == 200 and time.monotonic() - begun < 5
        idle[0].settimeout(5)
        assert idle[0].recv(1) == b""


def test_half_requests_keep_nobody_out(alive):
    """Thousands of connections with half a request, all of one address: others of that address are served, and a slow client of another
    address keeps its place."""
    where = urllib.parse.urlsplit(alive.endpoint)
    request = f"GET /?{REGIONS} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    with socket.create_connection((where.hostname, where.port), timeout=20, source_address=("127.0.0.2", 0)) as elsewhere:
        elsewhere.sendall(request[:20])
        with many_connections(alive, 3000, b"G"):
            assert [get(alive, REGIONS).status for _ in range(10)] == [200] * 10
            elsewhere.sendall(request[20:])
            assert read_answer(elsewhere)[0] == 200


def test_ping_and_paths(alive):
    assert talk(alive.endpoint, b"GET /ping HTTP/1.0\r\n\r\n").endswith(b"ok\n")
    # Any path is the API's, as clients of private clouds send them.
    assert send(alive.endpoint, target="/services/Cloud/?" + REGIONS).status == 200
