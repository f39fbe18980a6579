#include "libs/http/parser.h"

#include <gtest/gtest.h>

#include <string>

namespace devicetrust::http {
namespace {

struct Outcome {
  Progress progress;
  Refusal refusal;
  Request request;
  std::string rest;
};

// Feeds `text` in pieces of `step` octets.
Outcome Parse(std::string_view text, std::size_t step = 1 << 20, ParserLimits limits = {}) {
  RequestParser parser(limits);
  Outcome outcome{Progress::kNeedMore, {}, {}, {}};
  while (!text.empty() && outcome.progress == Progress::kNeedMore) {
    std::string_view piece = text.substr(0, step);
    text.remove_prefix(piece.size());
    outcome.progress = parser.Feed(piece);
    outcome.rest = std::string(piece) + std::string(text);
  }
  outcome.refusal = parser.refusal();
  if (outcome.progress == Progress::kDone) outcome.request = parser.Take();
  return outcome;
}

TEST(RequestParserTest, ReadsARequestInPiecesOfAnySize) {
  const std::string text =
      "POST /a%20b/c?x=1&y=%2F HTTP/1.1\r\nHost: Org.LocalHost:8443\r\nX-Name: \t v \r\n"
      "Content-Length: 5\r\n\r\nhelloGET /";
  for (const std::size_t step : {1, 2, 3, 7, 1000}) {
    const Outcome outcome = Parse(text, step);
    ASSERT_EQ(outcome.progress, Progress::kDone) << outcome.refusal.reason;
    EXPECT_EQ(outcome.request.method, "POST");
    EXPECT_EQ(outcome.request.path, "/a b/c");
    EXPECT_EQ(outcome.request.query, "x=1&y=%2F");
    EXPECT_EQ(outcome.request.host, "org.localhost");
    EXPECT_EQ(outcome.request.port, 8443);
    EXPECT_EQ(outcome.request.fields.Find("x-NAME"), "v");
    EXPECT_EQ(outcome.request.body, "hello");
    EXPECT_TRUE(outcome.request.keep_alive);
    EXPECT_EQ(outcome.rest, "GET /");
  }
}

TEST(RequestParserTest, ReadsChunksAndThrowsExtensionsAndTrailersAway) {
  const Outcome outcome = Parse(
      "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\n"
      "5;name=value\r\nhello\r\n6\r\n world\r\n0\r\nX-Trailer: 1\r\n\r\nrest",
      1);
  ASSERT_EQ(outcome.progress, Progress::kDone) << outcome.refusal.reason;
  EXPECT_EQ(outcome.request.body, "hello world");
  EXPECT_EQ(outcome.rest, "rest");
}

TEST(RequestParserTest, KnowsWhoWantsToGoOn) {
  const auto keep = [](std::string_view version, std::string_view connection) {
    return Parse(std::string("GET / ") + std::string(version) + "\r\nHost: h\r\n" +
                 std::string(connection) + "\r\n")
        .request.keep_alive;
  };
  EXPECT_TRUE(keep("HTTP/1.1", ""));
  EXPECT_FALSE(keep("HTTP/1.1", "Connection: x, Close\r\n"));
  EXPECT_FALSE(keep("HTTP/1.1", "Connection: x\r\nConnection: close\r\n"));
  EXPECT_FALSE(keep("HTTP/1.0", ""));
  EXPECT_TRUE(keep("HTTP/1.0", "Connection: keep-alive\r\n"));
  EXPECT_TRUE(keep("HTTP/1.0", "Connection: x\r\nConnection: Keep-Alive\r\n"));
}

TEST(RequestParserTest, IgnoresAnExpectationInHttp10) {
  const Outcome outcome =
      Parse("POST / HTTP/1.0\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nok");
  ASSERT_EQ(outcome.progress, Progress::kDone) << outcome.refusal.reason;
  EXPECT_EQ(outcome.request.body, "ok");
}

// What browsers do not escape in a query (URL Standard, section 1.3) goes on as it is: a signature
// may cover it.
TEST(RequestParserTest, TakesWhatBrowsersLeaveUnescapedInAQuery) {
  const Outcome outcome = Parse(
      "GET /app/1?RelayState=/issues?filter[state]=open|{a}^\\` HTTP/1.1\r\nHost: h\r\n\r\n", 3);
  ASSERT_EQ(outcome.progress, Progress::kDone) << outcome.refusal.reason;
  EXPECT_EQ(outcome.request.path, "/app/1");
  EXPECT_EQ(outcome.request.query, "RelayState=/issues?filter[state]=open|{a}^\\`");
  EXPECT_EQ(outcome.request.QueryParameters()->Single("RelayState").value(),
            "/issues?filter[state]=open|{a}^\\`");
}

TEST(RequestParserTest, ADotBehindTheHostSaysNothing) {
  for (const char* host : {"org.localhost", "org.localhost.", "ORG.localhost.:8443"}) {
    const Outcome outcome = Parse("GET / HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n");
    ASSERT_EQ(outcome.progress, Progress::kDone) << host;
    EXPECT_EQ(outcome.request.host, "org.localhost");
  }
}

TEST(RequestParserTest, Http10NeedsNoHostWhereOneSuffices) {
  const std::string_view text = "GET /crl/1.crl HTTP/1.0\r\n\r\n";
  EXPECT_EQ(Parse(text).refusal.status, 400);
  const Outcome outcome = Parse(text, 1, {.host_optional = true});
  ASSERT_EQ(outcome.progress, Progress::kDone) << outcome.refusal.reason;
  EXPECT_EQ(outcome.request.host, "");
  EXPECT_EQ(Parse("GET / HTTP/1.1\r\n\r\n", 1, {.host_optional = true}).refusal.status, 400);
  EXPECT_EQ(Parse("GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", 1, {.host_optional = true})
                .refusal.status,
            400);
}

// Base64 in a path, as RFC 6960 has it; whole paths are compared then.
TEST(RequestParserTest, TakesAnEscapedSlashWhereAListenerSaysSo) {
  ParserLimits limits;
  limits.escaped_slash = true;
  const auto get = [&](const std::string& target) {
    return Parse("GET " + target + " HTTP/1.1\r\nHost: h\r\n\r\n", 1, limits);
  };
  EXPECT_EQ(get("/ocsp/a%2Fb%2fc%2B%3D").request.path, "/ocsp/a/b/c+=");
  for (const char* bad :
       {"/ocsp/a%5Cb", "/ocsp/..%2Fca", "/ocsp%2F..", "/a%2F%2e%2e%2Fb", "/a%00"}) {
    EXPECT_EQ(get(bad).progress, Progress::kRefused) << bad;
  }
}

TEST(RequestTest, SaysWhetherTheClientHasItAlready) {
  const auto with = [](std::string_view field) {
    return Parse("GET / HTTP/1.1\r\nHost: h\r\n" + std::string(field) + "\r\n").request;
  };
  for (const char* field :
       {"If-None-Match: \"a1\"\r\n", "if-none-match: \"b\" ,\t W/\"a1\"\r\n",
        "If-None-Match: *\r\n", "If-None-Match: \"b\"\r\nIf-None-Match: \"a1\"\r\n"}) {
    EXPECT_TRUE(with(field).Has("\"a1\"")) << field;
  }
  for (const char* field : {"", "If-None-Match: a1\r\n", "If-None-Match: \"a\",,\r\n",
                            "If-Match: \"a1\"\r\n", "If-None-Match:\r\n"}) {
    EXPECT_FALSE(with(field).Has("\"a1\"")) << field;
  }
}

// Attack 9.
TEST(LastAddressTest, IsOneAddressOrNone) {
  const auto last = [](std::string_view list) {
    const auto address = LastAddress(list);
    return address ? address->to_string() : "";
  };
  EXPECT_EQ(last("192.0.2.7"), "192.0.2.7");
  EXPECT_EQ(last("10.0.0.1, 192.0.2.7"), "192.0.2.7");
  EXPECT_EQ(last("10.0.0.1,\t2001:db8::1"), "2001:db8::1");
  EXPECT_EQ(last("::ffff:192.0.2.7"), "192.0.2.7");
  for (const std::string& none :
       {std::string(), std::string(","), std::string("192.0.2.7,"), std::string("192.0.2.7, x"),
        std::string("192.0.2.7:80"), std::string("[2001:db8::1]"), std::string("fe80::1%1"),
        std::string("192.0.2.7 "), std::string("192.0.2.7\0", 10), std::string("192.0.2"),
        std::string("for=192.0.2.7"), std::string(100'000, ','), std::string(100'000, '1')}) {
    EXPECT_EQ(last(none), "") << none.substr(0, 40);
  }
}

TEST(HttpDateTest, WritesWhatTheStandardShows) {
  EXPECT_EQ(HttpDate(AtUnixSeconds(784'111'777)), "Sun, 06 Nov 1994 08:49:37 GMT");
}

struct BadRequest {
  const char* name;
  std::string text;
  int status = 400;
};

class BadRequestTest : public ::testing::TestWithParam<BadRequest> {};

TEST_P(BadRequestTest, IsRefusedWhateverThePieces) {
  for (const std::size_t step : {std::size_t{1}, std::size_t{5}, std::size_t{1} << 20}) {
    const Outcome outcome = Parse(GetParam().text, step);
    ASSERT_EQ(outcome.progress, Progress::kRefused);
    EXPECT_EQ(outcome.refusal.status, GetParam().status) << outcome.refusal.reason;
  }
}

std::string Get(std::string_view fields, std::string_view target = "/") {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: h\r\n" + std::string(fields) + "\r\n";
}

std::string Post(std::string_view fields, std::string_view body = "") {
  return "POST / HTTP/1.1\r\nHost: h\r\n" + std::string(fields) + "\r\n" + std::string(body);
}

std::string Chunked(std::string_view body) { return Post("Transfer-Encoding: chunked\r\n", body); }

INSTANTIATE_TEST_SUITE_P(
    , BadRequestTest,
    ::testing::Values(
        // Line ends, controls, fields.
        BadRequest{"BareLf", "GET / HTTP/1.1\nHost: h\n\n"},
        BadRequest{"BareLfInFields", Get("A: b\nC: d\r\n")},
        BadRequest{"BareCr", Get("A: b\rC: d\r\n")},
        BadRequest{"Nul", Get(std::string_view("A: b\0c\r\n", 8))},
        BadRequest{"Control", Get("A: b\x01\r\n")}, BadRequest{"Delete", Get("A: b\x7f\r\n")},
        BadRequest{"BlankLineFirst", "\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n"},
        BadRequest{"ObsFold", Get("A: b\r\n c\r\n")},
        BadRequest{"ObsFoldInTransferEncoding",
                   Post("Transfer-Encoding:\r\n chunked\r\n", "0\r\n")},
        BadRequest{"FoldBeforeFirst", "GET / HTTP/1.1\r\n Host: h\r\n\r\n"},
        BadRequest{"NoColon", Get("A b\r\n")}, BadRequest{"BlankBeforeColon", Get("A : b\r\n")},
        BadRequest{"EmptyName", Get(": b\r\n")}, BadRequest{"BadName", Get("A(b): c\r\n")},
        BadRequest{"Tls", "\x16\x03\x01 hello\r\n\r\n"},
        // Request line.
        BadRequest{"TwoBlanks", "GET  / HTTP/1.1\r\nHost: h\r\n\r\n"},
        BadRequest{"BlankAtEnd", "GET / HTTP/1.1 \r\nHost: h\r\n\r\n"},
        BadRequest{"NoVersion", "GET /\r\nHost: h\r\n\r\n"},
        BadRequest{"OneWord", "GET\r\nHost: h\r\n\r\n"},
        BadRequest{"LowerCaseVersion", "GET / http/1.1\r\nHost: h\r\n\r\n"},
        BadRequest{"LongVersion", "GET / HTTP/1.10\r\nHost: h\r\n\r\n"},
        BadRequest{"Http2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
        BadRequest{"Version12", "GET / HTTP/1.2\r\nHost: h\r\n\r\n", 505},
        BadRequest{"BadMethod", "G@T / HTTP/1.1\r\nHost: h\r\n\r\n"},
        BadRequest{"Trace", "TRACE / HTTP/1.1\r\nHost: h\r\n\r\n", 501},
        BadRequest{"Connect", "CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n", 501},
        BadRequest{"LowerCaseMethod", "get / HTTP/1.1\r\nHost: h\r\n\r\n", 501},
        // Target.
        BadRequest{"AbsoluteForm", Get("", "http://evil/")}, BadRequest{"Asterisk", Get("", "*")},
        BadRequest{"TwoSlashes", Get("", "//evil/")}, BadRequest{"Relative", Get("", "a")},
        BadRequest{"Fragment", Get("", "/a#b")}, BadRequest{"BackSlash", Get("", "/a\\b")},
        BadRequest{"RawUtf8", Get("", "/\xc3\xa9")}, BadRequest{"Quote", Get("", "/\"")},
        BadRequest{"EscapedNul", Get("", "/%00")}, BadRequest{"EscapedControl", Get("", "/%0d%0a")},
        BadRequest{"HalfEscape", Get("", "/%4")}, BadRequest{"BadEscape", Get("", "/%zz")},
        BadRequest{"EscapedSlash", Get("", "/a%2Fb")},
        BadRequest{"EscapedBackSlash", Get("", "/a%5cb")}, BadRequest{"DotDot", Get("", "/a/../b")},
        BadRequest{"EscapedDotDot", Get("", "/a/%2e%2E/b")},
        BadRequest{"DotAtEnd", Get("", "/a/.")},
        BadRequest{"LongTarget", Get("", "/" + std::string(9000, 'a')), 414},
        // Host.
        BadRequest{"NoHost", "GET / HTTP/1.1\r\nA: b\r\n\r\n"},
        BadRequest{"TwoHosts", Get("Host: h\r\n")},
        BadRequest{"EmptyHost", "GET / HTTP/1.1\r\nHost:\r\n\r\n"},
        BadRequest{"HostWithUser", "GET / HTTP/1.1\r\nHost: a@h\r\n\r\n"},
        BadRequest{"HostWithPath", "GET / HTTP/1.1\r\nHost: h/x\r\n\r\n"},
        BadRequest{"HostList", "GET / HTTP/1.1\r\nHost: h, i\r\n\r\n"},
        BadRequest{"HostBadPort", "GET / HTTP/1.1\r\nHost: h:99999\r\n\r\n"},
        BadRequest{"HostNoPort", "GET / HTTP/1.1\r\nHost: h:\r\n\r\n"},
        BadRequest{"HostSignedPort", "GET / HTTP/1.1\r\nHost: h:+1\r\n\r\n"},
        BadRequest{"HostTwoDots", "GET / HTTP/1.1\r\nHost: h..\r\n\r\n"},
        BadRequest{"HostDot", "GET / HTTP/1.1\r\nHost: .\r\n\r\n"},
        BadRequest{"BracketInPath", Get("", "/a[b]")}, BadRequest{"BraceInPath", Get("", "/{a}")},
        BadRequest{"BarInPath", Get("", "/a|b")}, BadRequest{"CaretInPath", Get("", "/a^b")},
        BadRequest{"BacktickInPath", Get("", "/a`b")},
        BadRequest{"QuoteInQuery", Get("", "/?a=\"")}, BadRequest{"AngleInQuery", Get("", "/?a=<")},
        BadRequest{"FragmentInQuery", Get("", "/?a#b")},
        BadRequest{"RawUtf8InQuery", Get("", "/?\xc3\xa9")},
        BadRequest{"HostBadV6", "GET / HTTP/1.1\r\nHost: [::g]\r\n\r\n"}),
    [](const auto& tested) { return std::string(tested.param.name); });

INSTANTIATE_TEST_SUITE_P(
    Framing, BadRequestTest,
    ::testing::Values(
        BadRequest{"TransferXChunked", Post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n")},
        BadRequest{"TransferIdentity", Post("Transfer-Encoding: chunked, identity\r\n")},
        BadRequest{"TransferGzip", Post("Transfer-Encoding: gzip, chunked\r\n")},
        BadRequest{"TransferTwice", Post("Transfer-Encoding: chunked, chunked\r\n")},
        BadRequest{"TransferQuoted", Post("Transfer-Encoding: \"chunked\"\r\n")},
        BadRequest{"TransferParameter", Post("Transfer-Encoding: chunked;q=1\r\n")},
        BadRequest{"TransferTwoFields",
                   Post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")},
        BadRequest{"TransferEmpty", Post("Transfer-Encoding:\r\n")},
        BadRequest{"TransferIn10",
                   "POST / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
        BadRequest{"LengthAndTransfer",
                   Post("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")},
        BadRequest{"TwoLengths", Post("Content-Length: 3\r\nContent-Length: 3\r\n", "abc")},
        BadRequest{"LengthList", Post("Content-Length: 3, 3\r\n", "abc")},
        BadRequest{"LengthSigned", Post("Content-Length: +3\r\n", "abc")},
        BadRequest{"LengthNegative", Post("Content-Length: -1\r\n")},
        BadRequest{"LengthHex", Post("Content-Length: 0x3\r\n", "abc")},
        BadRequest{"LengthEmpty", Post("Content-Length:\r\n")},
        BadRequest{"LengthOverflow", Post("Content-Length: 99999999999999999999\r\n")},
        BadRequest{"LengthTooLong", Post("Content-Length: 65537\r\n"), 413},
        BadRequest{"BodyWithGet", Get("Content-Length: 1\r\n") + "a"},
        BadRequest{"Expect", Post("Expect: 100-continue\r\nContent-Length: 1\r\n"), 417},
        BadRequest{"ChunkSizeEmpty", Chunked("\r\nabc")},
        BadRequest{"ChunkSizeSigned", Chunked("+3\r\nabc\r\n0\r\n\r\n")},
        BadRequest{"ChunkSizeBlank", Chunked(" 3\r\nabc\r\n0\r\n\r\n")},
        BadRequest{"ChunkSizeTrailingBlank", Chunked("3 \r\nabc\r\n0\r\n\r\n")},
        BadRequest{"ChunkSizeHex", Chunked("0x3\r\nabc\r\n0\r\n\r\n")},
        BadRequest{"ChunkSizeLong", Chunked("000000003\r\nabc\r\n0\r\n\r\n")},
        BadRequest{"ChunkTooBig", Chunked("10001\r\n"), 413},
        BadRequest{"ChunkTooLong", Chunked("3\r\nabcd\r\n0\r\n\r\n")},
        BadRequest{"ChunkBareLf", Chunked("3\nabc\n0\n\n")},
        BadRequest{"EndlessExtension", Chunked("1;" + std::string(6000, 'x')), 431},
        BadRequest{"EndlessTrailer", Chunked("0\r\nA: " + std::string(6000, 'x')), 431},
        BadRequest{"BadTrailer", Chunked("0\r\nA\r\n\r\n")},
        BadRequest{"LongHead", Get("A: " + std::string(20000, 'x') + "\r\n"), 431},
        BadRequest{"TwoCookies", Get("Cookie: a=b\r\nCookie: c=d\r\n")},
        BadRequest{"TwoContentTypes", Post("Content-Type: a/b\r\nContent-Type: a/b\r\n")}),
    [](const auto& tested) { return std::string(tested.param.name); });

TEST(RequestParserTest, RefusesTooManyFields) {
  std::string fields;
  for (int i = 0; i < 100; ++i) fields += "A: b\r\n";
  EXPECT_EQ(Parse(Get(fields)).refusal.status, 431);
}

// Many tiny chunks cost more in framing than in content.
TEST(RequestParserTest, BoundsTheOverheadOfTinyChunks) {
  std::string body;
  for (int i = 0; i < 20'000; ++i) body += "1\r\na\r\n";
  EXPECT_EQ(Parse(Chunked(body + "0\r\n\r\n")).progress, Progress::kRefused);
}

ParsedResponse ParseAnswer(std::string_view text, bool closed, bool* complete) {
  ResponseParser parser({}, false);
  const Progress progress = parser.Feed(text);
  *complete =
      progress == Progress::kDone || (progress == Progress::kNeedMore && closed && parser.Finish());
  return parser.Take();
}

TEST(ResponseParserTest, ReadsEachFraming) {
  bool complete = false;
  EXPECT_EQ(ParseAnswer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", false, &complete).body,
            "ok");
  EXPECT_TRUE(complete);
  EXPECT_EQ(ParseAnswer("HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
                        false, &complete)
                .body,
            "ok");
  EXPECT_TRUE(complete);
  const ParsedResponse until_close = ParseAnswer("HTTP/1.1 200 OK\r\n\r\nok", true, &complete);
  EXPECT_TRUE(complete);
  EXPECT_EQ(until_close.body, "ok");
  EXPECT_FALSE(until_close.keep_alive);
  EXPECT_EQ(ParseAnswer("HTTP/1.1 204 No Content\r\n\r\n", false, &complete).status, 204);
  EXPECT_TRUE(complete);
  ParseAnswer("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok", true, &complete);
  EXPECT_FALSE(complete);
}

TEST(ResponseParserTest, RefusesWhatIsNoHttp) {
  for (const std::string_view text :
       {"HTTP/2 200\r\n\r\n", "HTTP/1.1 20\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 200 OK\nA: b\n\n", "SSH-2.0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"}) {
    ResponseParser parser({}, false);
    std::string_view data = text;
    EXPECT_EQ(parser.Feed(data), Progress::kRefused) << text;
  }
}

}  // namespace
}  // namespace devicetrust::http
