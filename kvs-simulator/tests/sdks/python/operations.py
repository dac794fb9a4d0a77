"""Every operation of the simulator through boto3 and its own validators, errors included.

    python operations.py ENDPOINT PRODUCER.mkv LIVE_STREAM CA.pem|-

PRODUCER.mkv is what a producer sends; LIVE_STREAM is a stream that goes on. PutMedia is not in boto3:
it is signed with botocore. Prints one line a check; the first that fails ends the program.
"""

import datetime
import http.client
import json
import ssl
import sys
import time
import urllib.parse

import boto3
import botocore.auth
import botocore.awsrequest
import botocore.config
import botocore.credentials
import botocore.exceptions

ENDPOINT, PRODUCER, LIVE, CA = sys.argv[1:5]
VERIFY = None if CA == "-" else CA
CONFIG = botocore.config.Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=20)


def client(service, key="test", secret="test", endpoint=ENDPOINT):
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        config=CONFIG,
        verify=VERIFY,
    )


control = client("kinesisvideo")


def ok(what):
    print("ok", what)


def refused(code, status, call, **arguments):
    """The call is refused with this code, as a class the service's model has."""
    try:
        call(**arguments)
    except botocore.exceptions.ClientError as error:
        got = error.response
        assert got["Error"]["Code"] == code, got
        assert got["ResponseMetadata"]["HTTPStatusCode"] == status, got
        assert got["Error"]["Message"], got
        assert got["ResponseMetadata"]["RequestId"], got
        headers = got["ResponseMetadata"]["HTTPHeaders"]
        assert headers["x-amzn-errortype"] == headers["x-amz-errortype"] == code, headers
        return
    raise AssertionError(f"{code} was expected of {arguments}")


def pace():
    """Five calls a second and stream are allowed."""
    time.sleep(0.22)


# --- streams -------------------------------------------------------------------------------------------------------
made = control.create_stream(
    StreamName="boto.stream_1",
    MediaType="video/h264,audio/aac",
    DeviceName="door",
    DataRetentionInHours=2,
    Tags={"Größe": "1 m", "place": "door"},
)
arn = made["StreamARN"]
assert arn.startswith("arn:aws:kinesisvideo:us-east-1:123456789012:stream/boto.stream_1/"), arn
assert made["ResponseMetadata"]["HTTPHeaders"]["x-amzn-requestid"], made
refused("ResourceInUseException", 400, control.create_stream, StreamName="boto.stream_1")
ok("CreateStream")

info = control.describe_stream(StreamName="boto.stream_1")["StreamInfo"]
assert (info["StreamARN"], info["Status"], info["DataRetentionInHours"]) == (arn, "ACTIVE", 2), info
assert (info["MediaType"], info["DeviceName"]) == ("video/h264,audio/aac", "door"), info
assert abs(info["CreationTime"].timestamp() - time.time()) < 60, info
assert control.describe_stream(StreamARN=arn)["StreamInfo"] == info
refused("ResourceNotFoundException", 404, control.describe_stream, StreamName="nobody")
refused("NotAuthorizedException", 401, control.describe_stream, StreamARN=arn.replace("123456789012", "999999999999"))
refused("InvalidArgumentException", 400, control.describe_stream)
ok("DescribeStream")

for index in range(25):
    control.create_stream(StreamName=f"page-{index:02}")
    time.sleep(0.03)
condition = {"ComparisonOperator": "BEGINS_WITH", "ComparisonValue": "page-"}
pages = list(
    control.get_paginator("list_streams").paginate(
        StreamNameCondition=condition, PaginationConfig={"PageSize": 10}
    )
)
assert [len(page["StreamInfoList"]) for page in pages] == [10, 10, 5], pages
names = [info["StreamName"] for page in pages for info in page["StreamInfoList"]]
assert names == [f"page-{index:02}" for index in range(25)], names
everything = {info["StreamName"] for info in control.list_streams()["StreamInfoList"]}
assert {"boto.stream_1", LIVE} <= everything
refused("InvalidArgumentException", 400, control.list_streams, NextToken="abc")
ok("ListStreams")

pace()
refused("VersionMismatchException", 400, control.update_stream, StreamName="boto.stream_1", CurrentVersion="x1")
pace()
control.update_stream(StreamARN=arn, CurrentVersion=info["Version"], MediaType="video/h265", DeviceName="gate")
pace()
updated = control.describe_stream(StreamName="boto.stream_1")["StreamInfo"]
assert (updated["MediaType"], updated["DeviceName"]) == ("video/h265", "gate"), updated
assert updated["Version"] != info["Version"]
pace()
refused("VersionMismatchException", 400, control.update_stream, StreamName="boto.stream_1", CurrentVersion=info["Version"])
ok("UpdateStream")

change = dict(StreamName="boto.stream_1", DataRetentionChangeInHours=3)
control.update_data_retention(CurrentVersion=updated["Version"], Operation="INCREASE_DATA_RETENTION", **change)
pace()
longer = control.describe_stream(StreamName="boto.stream_1")["StreamInfo"]
assert longer["DataRetentionInHours"] == 5, longer
pace()
control.update_data_retention(CurrentVersion=longer["Version"], Operation="DECREASE_DATA_RETENTION", **change)
pace()
shorter = control.describe_stream(StreamName="boto.stream_1")["StreamInfo"]
assert shorter["DataRetentionInHours"] == 2, shorter
pace()
refused(
    "InvalidArgumentException", 400, control.update_data_retention,
    CurrentVersion=shorter["Version"], Operation="DECREASE_DATA_RETENTION", **change,
)
ok("UpdateDataRetention")

HOT, WARM = {"DefaultStorageTier": "HOT"}, {"DefaultStorageTier": "WARM"}
pace()
stored = control.describe_stream_storage_configuration(StreamName="boto.stream_1")
assert (stored["StreamName"], stored["StreamARN"]) == ("boto.stream_1", arn), stored
assert stored["StreamStorageConfiguration"] == HOT, stored
pace()
control.create_stream(StreamName="warm", StreamStorageConfiguration=WARM)
assert control.describe_stream_storage_configuration(StreamName="warm")["StreamStorageConfiguration"] == WARM
refused("ResourceNotFoundException", 404, control.describe_stream_storage_configuration, StreamName="nobody")
foreign = arn.replace("123456789012", "999999999999")
refused("AccessDeniedException", 401, control.describe_stream_storage_configuration, StreamARN=foreign)
refused("InvalidArgumentException", 400, control.describe_stream_storage_configuration)
ok("DescribeStreamStorageConfiguration")

version = control.describe_stream(StreamName="boto.stream_1")["StreamInfo"]["Version"]
update = control.update_stream_storage_configuration
refused("VersionMismatchException", 400, update, StreamARN=arn, CurrentVersion="x1", StreamStorageConfiguration=WARM)
update(StreamARN=arn, CurrentVersion=version, StreamStorageConfiguration=WARM)
pace()
assert control.describe_stream_storage_configuration(StreamARN=arn)["StreamStorageConfiguration"] == WARM
assert control.describe_stream(StreamName="boto.stream_1")["StreamInfo"]["Version"] != version
refused("VersionMismatchException", 400, update, StreamARN=arn, CurrentVersion=version, StreamStorageConfiguration=HOT)
refused(
    "InvalidArgumentException", 400, update,
    StreamARN=arn, CurrentVersion=version, StreamStorageConfiguration={"DefaultStorageTier": "COLD"},
)
ok("UpdateStreamStorageConfiguration")

# --- tags ----------------------------------------------------------------------------------------------------------
assert control.list_tags_for_stream(StreamARN=arn)["Tags"] == {"Größe": "1 m", "place": "door"}
control.tag_stream(StreamName="boto.stream_1", Tags={"place": "gate", "empty": ""})
control.untag_stream(StreamName="boto.stream_1", TagKeyList=["Größe", "not there"])
assert control.list_tags_for_stream(StreamName="boto.stream_1")["Tags"] == {"place": "gate", "empty": ""}
pace()
many = {f"tag{index}": "x" for index in range(49)}
refused("TagsPerResourceExceededLimitException", 400, control.tag_stream, StreamARN=arn, Tags=many)
pace()
refused("ResourceNotFoundException", 404, control.tag_stream, StreamName="nobody", Tags={"a": "b"})
refused("ResourceNotFoundException", 404, control.untag_stream, StreamName="nobody", TagKeyList=["a"])
refused("ResourceNotFoundException", 404, control.list_tags_for_stream, StreamName="nobody")
for call, more in ((control.tag_stream, {"Tags": {"a": "b"}}), (control.untag_stream, {"TagKeyList": ["a"]}), (control.list_tags_for_stream, {})):
    refused("InvalidResourceFormatException", 400, call, StreamARN="arn:aws:s3:::bucket", **more)
ok("TagStream UntagStream ListTagsForStream")

# --- endpoints, keys, limits ---------------------------------------------------------------------------------------
endpoints = {}
for api in ("PUT_MEDIA", "GET_MEDIA", "LIST_FRAGMENTS", "GET_MEDIA_FOR_FRAGMENT_LIST"):
    endpoints[api] = control.get_data_endpoint(StreamName="boto.stream_1", APIName=api)["DataEndpoint"]
    pace()
refused("ResourceNotFoundException", 404, control.get_data_endpoint, StreamName="nobody", APIName="GET_MEDIA")
refused("InvalidArgumentException", 400, control.get_data_endpoint, StreamName="nobody", APIName="GET_TEA")
ok("GetDataEndpoint")

other = client("kinesisvideo", "other", "other-secret")
assert other.list_streams()["StreamInfoList"] == []
theirs = other.create_stream(StreamName="boto.stream_1")["StreamARN"]
assert ":999999999999:" in theirs, theirs
refused("NotAuthorizedException", 401, control.describe_stream, StreamARN=theirs)
refused("UnrecognizedClientException", 403, client("kinesisvideo", "nobody").list_streams)
refused("InvalidSignatureException", 403, client("kinesisvideo", "test", "wrong").list_streams)
ok("accounts and keys")

for attempt in range(200):
    try:
        control.describe_stream(StreamName="page-00")
    except control.exceptions.ClientLimitExceededException as error:
        assert attempt >= 5, attempt
        break
else:
    raise AssertionError("more than 5 calls a second")
ok("ClientLimitExceededException")


# --- PutMedia ------------------------------------------------------------------------------------------------------
def put_media(body, headers, pieces=1, payload="unsigned"):
    """Sends a document in pieces; answers status and acknowledgements."""
    url = urllib.parse.urlsplit(endpoints["PUT_MEDIA"])
    request = botocore.awsrequest.AWSRequest(method="POST", url=endpoints["PUT_MEDIA"] + "/putMedia", data=b"", headers=headers)
    if payload == "unsigned":
        request.headers["X-Amz-Content-SHA256"] = "UNSIGNED-PAYLOAD"
    credentials = botocore.credentials.Credentials("test", "test")
    botocore.auth.SigV4Auth(credentials, "kinesisvideo", "us-east-1").add_auth(request)
    if url.scheme == "https":
        connection = http.client.HTTPSConnection(url.netloc, timeout=20, context=ssl.create_default_context(cafile=VERIFY))
    else:
        connection = http.client.HTTPConnection(url.netloc, timeout=20)
    size = max(1, len(body) // pieces)
    chunks = (body[at : at + size] for at in range(0, len(body), size))
    connection.request("POST", "/putMedia", body=chunks, headers=dict(request.headers.items()), encode_chunked=True)
    response = connection.getresponse()
    text = response.read().decode()
    assert response.headers["x-amzn-RequestId"]
    if response.status != 200:
        return response.status, response.headers["x-amzn-ErrorType"]
    return 200, [json.loads(line) for line in text.splitlines()]


def events(acknowledgements):
    return [acknowledgement["EventType"] for acknowledgement in acknowledgements]


media = open(PRODUCER, "rb").read()
absolute = {"x-amzn-stream-name": "boto.stream_1", "x-amzn-fragment-timecode-type": "ABSOLUTE"}
start = 1_700_000_000.25
relative = {
    "x-amzn-stream-arn": arn,
    "x-amzn-fragment-timecode-type": "RELATIVE",
    "x-amzn-producer-start-timestamp": str(start),
}
status, acks = put_media(media, relative, pieces=40)
assert status == 200, acks
assert events(acks[:3]) == ["BUFFERING", "RECEIVED", "PERSISTED"], acks
persisted = [ack for ack in acks if ack["EventType"] == "PERSISTED"]
numbers = [ack["FragmentNumber"] for ack in persisted]
assert len(numbers) >= 3 and numbers == sorted(numbers, key=int), numbers
assert [ack["FragmentTimecode"] for ack in persisted] == sorted(ack["FragmentTimecode"] for ack in persisted)
status, acks = put_media(media, absolute, payload="empty")
numbers += [ack["FragmentNumber"] for ack in acks if ack["EventType"] == "PERSISTED"]
assert len(set(numbers)) == 2 * len(persisted)
status, acks = put_media(b"this is no MKV", absolute)
assert (events(acks), acks[0]["ErrorId"]) == (["ERROR"], 4006), acks
status, acks = put_media(media + media, absolute)
assert acks[-1]["ErrorId"] == 4006, acks[-1]
numbers += [ack["FragmentNumber"] for ack in acks if ack["EventType"] == "PERSISTED"]
pace()
assert put_media(media, {**absolute, "x-amzn-stream-name": "nobody"}) == (404, "ResourceNotFoundException")
pace()
assert put_media(media, {**absolute, "x-amzn-fragment-timecode-type": "SIDEREAL"}) == (400, "InvalidArgumentException")
pace()
without_start = {**relative}
del without_start["x-amzn-producer-start-timestamp"]
assert put_media(media, without_start) == (400, "InvalidArgumentException")
ok("PutMedia")

# --- GetMedia ------------------------------------------------------------------------------------------------------
reader = client("kinesis-video-media", endpoint=endpoints["GET_MEDIA"])


def seen(body):
    """The fragment numbers in the order they come."""
    name, found, at = b"AWS_KINESISVIDEO_FRAGMENT_NUMBER\x44\x87", [], 0
    while (at := body.find(name, at)) >= 0:
        at += len(name)
        size = body[at] & 0x7F
        found.append(body[at + 1 : at + 1 + size].decode())
    return found


def get_media(selector, stream="boto.stream_1"):
    pace()
    answer = reader.get_media(StreamName=stream, StartSelector=selector)
    assert answer["ContentType"] == "video/webm"
    return seen(answer["Payload"].read())


assert get_media({"StartSelectorType": "EARLIEST"}) == numbers
assert get_media({"StartSelectorType": "NOW"}) == numbers[-1:]
assert get_media({"StartSelectorType": "FRAGMENT_NUMBER", "AfterFragmentNumber": numbers[1]}) == numbers[2:]
assert get_media({"StartSelectorType": "CONTINUATION_TOKEN", "ContinuationToken": numbers[0]}) == numbers[1:]
at = datetime.datetime.fromtimestamp(int(start), datetime.timezone.utc)
assert get_media({"StartSelectorType": "PRODUCER_TIMESTAMP", "StartTimestamp": at})[0] == numbers[0]
at = datetime.datetime.fromtimestamp(time.time() + 60, datetime.timezone.utc)
assert get_media({"StartSelectorType": "SERVER_TIMESTAMP", "StartTimestamp": at}) == []
for selector in (
    {"StartSelectorType": "FRAGMENT_NUMBER"},
    {"StartSelectorType": "NOW", "ContinuationToken": "a"},
    {"StartSelectorType": "SERVER_TIMESTAMP"},
    {"StartSelectorType": "CONTINUATION_TOKEN", "ContinuationToken": "unknown"},
):
    pace()
    refused("InvalidArgumentException", 400, reader.get_media, StreamName="boto.stream_1", StartSelector=selector)
pace()
refused("ResourceNotFoundException", 404, reader.get_media, StreamName="nobody", StartSelector={"StartSelectorType": "NOW"})
held = []
for _ in range(3):
    pace()
    held.append(reader.get_media(StreamName=LIVE, StartSelector={"StartSelectorType": "EARLIEST"})["Payload"])
    held[-1].read(10)
pace()
refused("ConnectionLimitExceededException", 400, reader.get_media, StreamName=LIVE, StartSelector={"StartSelectorType": "NOW"})
for payload in held:
    payload.close()
ok("GetMedia")

# --- the archive ---------------------------------------------------------------------------------------------------
lister = client("kinesis-video-archived-media", endpoint=endpoints["LIST_FRAGMENTS"])


def list_fragments(kind, begin, end, page):
    selector = {"FragmentSelectorType": kind, "TimestampRange": {"StartTimestamp": begin, "EndTimestamp": end}}
    found = []
    paginator = lister.get_paginator("list_fragments")
    for answer in paginator.paginate(StreamName="boto.stream_1", FragmentSelector=selector, PaginationConfig={"PageSize": page}):
        found += answer["Fragments"]
        pace()
    return found


now = time.time()
listed = list_fragments("SERVER_TIMESTAMP", now - 600, now + 60, 4)
assert sorted((row["FragmentNumber"] for row in listed), key=int) == numbers, listed
assert [row["FragmentNumber"] for row in listed] != numbers, "the order must not be the stream's"
assert all(row["FragmentSizeInBytes"] > 0 and row["FragmentLengthInMilliseconds"] > 0 for row in listed)
assert list_fragments("SERVER_TIMESTAMP", now - 1200, now - 600, 100) == []
by_producer = list_fragments("PRODUCER_TIMESTAMP", int(start), int(start) + 600, 100)
assert sorted(row["FragmentNumber"] for row in by_producer) == sorted(numbers[: len(persisted)]), by_producer
assert by_producer[0]["ProducerTimestamp"].timestamp() >= start
refused("InvalidArgumentException", 400, lister.list_fragments, StreamName="boto.stream_1", NextToken="abc")
pace()
refused("ResourceNotFoundException", 404, lister.list_fragments, StreamName="nobody")
ok("ListFragments")

archive = client("kinesis-video-archived-media", endpoint=endpoints["GET_MEDIA_FOR_FRAGMENT_LIST"])
wanted = [numbers[2], numbers[0]]
body = archive.get_media_for_fragment_list(StreamName="boto.stream_1", Fragments=wanted)["Payload"].read()
assert seen(body) == wanted
assert b"CONTINUATION_TOKEN" not in body and b"MILLIS_BEHIND_NOW" not in body
pace()
refused("ResourceNotFoundException", 404, archive.get_media_for_fragment_list, StreamName="nobody", Fragments=wanted)
refused("InvalidArgumentException", 400, archive.get_media_for_fragment_list, StreamName="boto.stream_1", Fragments=["x"])
ok("GetMediaForFragmentList")

# --- the end -------------------------------------------------------------------------------------------------------
version = control.describe_stream(StreamARN=arn)["StreamInfo"]["Version"]
refused("VersionMismatchException", 400, control.delete_stream, StreamARN=arn, CurrentVersion="x1")
control.delete_stream(StreamARN=arn, CurrentVersion=version)
refused("ResourceNotFoundException", 404, control.delete_stream, StreamARN=arn)
pace()
refused("ResourceNotFoundException", 404, control.describe_stream, StreamName="boto.stream_1")
ok("DeleteStream")
