// Requests as clients really send them, captured once on 5 December 2011, 13:00:00 UTC by a clock set to that time:
// boto3 1.26 / botocore 1.29 (with and without awscrt) and boto 2.49, access key and secret as below.
// User-Agent and tracing headers, which nobody signs, are left out.
#pragma once

#include <string_view>

namespace brume::wire::vectors {

constexpr std::string_view access_key = "AKIAIOSFODNN7EXAMPLE";
constexpr std::string_view secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

constexpr std::string_view ec2_describe =
    "POST / HTTP/1.1\r\n"
    "Content-Type: application/x-www-form-urlencoded; charset=utf-8\r\n"
    "host: 127.0.0.1:8773\r\n"
    "X-Amz-Date: 20111205T130000Z\r\n"
    "Authorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20111205/us-east-1/ec2/aws4_request, "
    "SignedHeaders=content-type;host;x-amz-date, Signature=c267c2461a53e7f85fb3cc2e44cb3d6894e6fb60984679e22e03ea7797a0fe7a\r\n"
    "Content-Length: 129\r\n"
    "\r\n"
    "Action=DescribeInstances&Version=2016-11-15&Filter.1.Name=tag%3AN%C3%A4me+~%2B%2A%2F%3D%26&Filter.1.Value.1=a+b&Filter.1.Value.2=";

constexpr std::string_view ec2_token =
    "POST / HTTP/1.1\r\n"
    "Content-Type: application/x-www-form-urlencoded; charset=utf-8\r\n"
    "host: 127.0.0.1:8773\r\n"
    "X-Amz-Security-Token: FwoGZXIvYXdzE+/==\r\n"
    "X-Amz-Date: 20111205T130000Z\r\n"
    "Authorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20111205/us-east-1/ec2/aws4_request, "
    "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, "
    "Signature=8e79ecfd3adbcd8a2a7dc13edde7aa5380267b327bd3d1433d89ebfba3cca478\r\n"
    "Content-Length: 41\r\n"
    "\r\n"
    "Action=DescribeRegions&Version=2016-11-15";

constexpr std::string_view ec2_dns_host =
    "POST / HTTP/1.1\r\n"
    "Content-Type: application/x-www-form-urlencoded; charset=utf-8\r\n"
    "host: ec2.eu-west-1.amazonaws.com\r\n"
    "X-Amz-Date: 20111205T130000Z\r\n"
    "Authorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20111205/eu-west-1/ec2/aws4_request, "
    "SignedHeaders=content-type;host;x-amz-date, Signature=6f4f480828c728eb809aa163aa758eff2e371351a34f0ab253734d5182405aa8\r\n"
    "Content-Length: 41\r\n"
    "\r\n"
    "Action=DescribeRegions&Version=2016-11-15";

constexpr std::string_view sts_identity =
    "POST / HTTP/1.1\r\n"
    "Content-Type: application/x-www-form-urlencoded; charset=utf-8\r\n"
    "host: 127.0.0.1:8773\r\n"
    "X-Amz-Date: 20111205T130000Z\r\n"
    "Authorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20111205/us-east-1/sts/aws4_request, "
    "SignedHeaders=content-type;host;x-amz-date, Signature=08866e32fa0a6f80fc1f98f885cdf460b17415c1ff4736974045ce0542f960a2\r\n"
    "Content-Length: 43\r\n"
    "\r\n"
    "Action=GetCallerIdentity&Version=2011-06-15";

constexpr std::string_view s3_get =
    "GET /b/a%20b/../c%2B~%2A%C3%A4//d HTTP/1.1\r\n"
    "host: 127.0.0.1:8773\r\n"
    "X-Amz-Date: 20111205T130000Z\r\n"
    "x-amz-content-sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\r\n"
    "Authorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20111205/us-east-1/s3/aws4_request, "
    "SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=34f51d377453a5b932312de31c9fe60f6da25b6a79a6388f917a96b18577e75e\r\n"
    "\r\n";

constexpr std::string_view ec2_presigned =
    "GET "
    "/?Action=DescribeImages&Version=2016-11-15&Filter.1.Name=name&Filter.1.Value.1=x%20y%2B~%2A%2F%C3%A4&X-Amz-Algorithm=AWS4-HMAC-SHA256&"
    "X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20111205%2Fus-east-1%2Fec2%2Faws4_request&X-Amz-Date=20111205T130000Z&X-Amz-SignedHeaders="
    "host&X-Amz-Expires=900&X-Amz-Signature=065e92c240f1721faec243f87cbb3a1edbd479a7106575dc88925919a9d2e6bb HTTP/1.1\r\n"
    "Host: 127.0.0.1:8773\r\n"
    "\r\n";

constexpr std::string_view ec2_presigned_token =
    "GET "
    "/?Action=DescribeImages&Version=2016-11-15&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20111205%2Fus-"
    "east-1%2Fec2%2Faws4_request&X-Amz-Date=20111205T130000Z&X-Amz-SignedHeaders=host&X-Amz-Expires=604800&X-Amz-Security-Token=to%2Fk%"
    "2Ben%3D&X-Amz-Signature=db99ce464da1c09062161cdc2d76f4b2f872a66955bc83d4e9827f45c1d6f848 HTTP/1.1\r\n"
    "Host: 127.0.0.1:8773\r\n"
    "\r\n";

constexpr std::string_view sts_presigned =
    "GET "
    "/?Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20111205%2Fus-"
    "east-1%2Fsts%2Faws4_request&X-Amz-Date=20111205T130000Z&X-Amz-SignedHeaders=host&X-Amz-Expires=60&X-Amz-Signature="
    "72f03d358ce11024eef4717084c733ef0a45dc1cbdb6b67ba20d1fceb15d182f HTTP/1.1\r\n"
    "Host: 127.0.0.1:8773\r\n"
    "\r\n";

constexpr std::string_view s3_presigned =
    "GET "
    "/b/"
    "k%20ey?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20111205%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date="
    "20111205T130000Z&X-Amz-SignedHeaders=host&X-Amz-Expires=60&X-Amz-Signature="
    "d0dea3e6035266716367ef9425dfdbf65846ace8d531ada921938393fb27a2c0 HTTP/1.1\r\n"
    "Host: 127.0.0.1:8773\r\n"
    "\r\n";

constexpr std::string_view path_and_spaces =
    "GET /a%20b/./c/../d//e/?b=2&a=%2F%20x&a=&A=1&B HTTP/1.1\r\n"
    "Host: localhost:8773\r\n"
    "My-Header:   a   b  c \r\n"
    "X-Amz-Meta: z\r\n"
    "X-Amz-Date: 20111205T130000Z\r\n"
    "Authorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20111205/us-east-1/ec2/aws4_request, "
    "SignedHeaders=host;my-header;x-amz-date;x-amz-meta, Signature=c78fc39ac83205df5ffdafbf0fac5867a490ed84af1c536f29f614eb0d463210\r\n"
    "\r\n";

constexpr std::string_view date_header =
    "GET /?Action=DescribeRegions&Version=2011-12-01 HTTP/1.1\r\n"
    "Host: localhost\r\n"
    "Date: Mon, 05 Dec 2011 13:00:00 -0000\r\n"
    "Authorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20111205/us-east-1/ec2/aws4_request, SignedHeaders=date;host, "
    "Signature=f02d11464a1fd17633e5a7d0c3ddde8e920b6dfbc8737f3cadd82d3e8c3fa882\r\n"
    "\r\n";

constexpr std::string_view unsigned_payload =
    "POST / HTTP/1.1\r\n"
    "Host: localhost:8773\r\n"
    "Content-Type: application/x-www-form-urlencoded\r\n"
    "X-Amz-Date: 20111205T130000Z\r\n"
    "X-Amz-Content-SHA256: UNSIGNED-PAYLOAD\r\n"
    "Authorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20111205/us-east-1/ec2/aws4_request, "
    "SignedHeaders=content-type;host;x-amz-content-sha256;x-amz-date, "
    "Signature=76cfa4cd517bc1ca9299bdc6d540421494a04974dd8447e32cf5f62f031fa264\r\n"
    "Content-Length: 41\r\n"
    "\r\n"
    "Action=DescribeRegions&Version=2011-12-01";

constexpr std::string_view v2_get =
    "GET "
    "/?AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Action=DescribeImages&Filter.1.Value.1=x%20y%2B~%2A%2F%C3%A4&ImageId.1=ami-2bb65342&"
    "SignatureMethod=HmacSHA256&SignatureVersion=2&Timestamp=2011-12-05T13%3A00%3A00Z&Version=2011-12-01&Signature=H%"
    "2F1wAY47wCXiFDDIe5aSTvkPYxxLYXSJlwKby6YNmu0%3D HTTP/1.1\r\n"
    "Host: localhost:8773\r\n"
    "Content-Length: 0\r\n"
    "\r\n";

constexpr std::string_view v2_post =
    "POST / HTTP/1.1\r\n"
    "Host: localhost:8773\r\n"
    "Content-Type: application/x-www-form-urlencoded; charset=UTF-8\r\n"
    "Content-Length: 278\r\n"
    "\r\n"
    "AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Action=DescribeImages&Filter.1.Value.1=x%20y%2B~%2A%2F%C3%A4&ImageId.1=ami-2bb65342&"
    "SignatureMethod=HmacSHA256&SignatureVersion=2&Timestamp=2011-12-05T13%3A00%3A00Z&Version=2011-12-01&Signature=jej6uzvVuvgGmcPP%"
    "2Fqe77mRyGlyhuOp9zdqLT9x5g28%3D";

constexpr std::string_view v2_sha1 =
    "GET "
    "/?AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Action=DescribeImages&Filter.1.Value.1=x%20y%2B~%2A%2F%C3%A4&ImageId.1=ami-2bb65342&"
    "SignatureMethod=HmacSHA1&SignatureVersion=2&Timestamp=2011-12-05T13%3A00%3A00Z&Version=2011-12-01&Signature=bQ4N6KPrJzgPYDEzDNCIe1vrK%"
    "2FM%3D HTTP/1.1\r\n"
    "Host: localhost:8773\r\n"
    "Content-Length: 0\r\n"
    "\r\n";

constexpr std::string_view v2_default_port =
    "GET "
    "/?AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Action=DescribeImages&Filter.1.Value.1=x%20y%2B~%2A%2F%C3%A4&ImageId.1=ami-2bb65342&"
    "SignatureMethod=HmacSHA256&SignatureVersion=2&Timestamp=2011-12-05T13%3A00%3A00Z&Version=2011-12-01&Signature=oj466gPH1dWkudGn%"
    "2By24D6t4P0JDl8KWAdZ5j8RZLoM%3D HTTP/1.1\r\n"
    "Host: Ec2.Amazonaws.com\r\n"
    "Content-Length: 0\r\n"
    "\r\n";

constexpr std::string_view v2_path =
    "POST /services/Cloud/services/Cloud/ HTTP/1.1\r\n"
    "Host: localhost:8773\r\n"
    "Content-Type: application/x-www-form-urlencoded; charset=UTF-8\r\n"
    "Content-Length: 276\r\n"
    "\r\n"
    "AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Action=DescribeImages&Filter.1.Value.1=x%20y%2B~%2A%2F%C3%A4&ImageId.1=ami-2bb65342&"
    "SignatureMethod=HmacSHA256&SignatureVersion=2&Timestamp=2011-12-05T13%3A00%3A00Z&Version=2011-12-01&Signature="
    "TjG6eEwGWscu9DRQ376oYkJUoNrIG3ToyWDnRWsupkM%3D";

constexpr std::string_view v2_token =
    "GET "
    "/?AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Action=DescribeImages&Filter.1.Value.1=x%20y%2B~%2A%2F%C3%A4&ImageId.1=ami-2bb65342&"
    "SecurityToken=to%2Fk%2Ben%3D&SignatureMethod=HmacSHA256&SignatureVersion=2&Timestamp=2011-12-05T13%3A00%3A00Z&Version=2011-12-01&"
    "Signature=L671sb%2BfmQIfONkFVxXkx2taUF0MgB6fCk8tpmjVHak%3D HTTP/1.1\r\n"
    "Host: localhost:8773\r\n"
    "Content-Length: 0\r\n"
    "\r\n";

}  // namespace brume::wire::vectors
