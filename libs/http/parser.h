// Reads HTTP/1.1 messages, octet by octet, and refuses whatever two readers could
// understand differently (RFC 9112; the cases are those by which other software was
// attacked). A pure push parser: no I/O, no clock, so it is fuzzed and tested as it is.
//
// Boost.Beast's parser is not used here. It takes several of the forms below (repeated
// Transfer-Encoding, obs-fold, missing Host, endless chunk extensions), and checking its
// input first means parsing it first: one strict reader is less than two that may differ.
//
// Refused, each with the connection's end:
//   line ends other than CRLF, NUL and other controls, obs-fold, blanks before a colon,
//   lines without a colon, names that are no token, a request line without exactly two
//   single blanks, versions but 1.0 and 1.1;
//   a target that is not origin-form, starts with "//", or whose path has a bad escape,
//   an escaped slash (see ParserLimits), a backslash, "." or ".." as a segment; an octet in it that
//   a URL may not hold, but in the query what browsers do not escape there is taken: [ ] { } | ^
//   \ and the backtick (URL Standard, section 1.3: query percent-encode set); Host missing (see
//   ParserLimits), doubled or malformed; doubled Content-Length, Content-Type, Cookie, Origin,
//   Authorization; Transfer-Encoding unless it is exactly one field with the value "chunked", in
//   HTTP/1.1, without Content-Length; a Content-Length that is not 1 to 19 digits;
//   a body with GET or HEAD; Expect in HTTP/1.1; Upgrade is ignored.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "libs/http/message.h"

namespace devicetrust::http {

struct ParserLimits {
  std::size_t target_bytes_max = 8 * 1024;
  std::size_t head_bytes_max = 16 * 1024;  // Start line and fields together.
  std::size_t fields_max = 100;
  std::size_t body_bytes_max = 64 * 1024;
  // Chunk extensions and trailer fields together; both are read and thrown away.
  std::size_t chunk_overhead_bytes_max = 4 * 1024;
  // HTTP/1.0 knows no Host (RFC 1945). True: such a request is for us, Request::host is empty.
  // For listeners that serve the same under each name.
  bool host_optional = false;
  // True: %2F in a path is taken and reads as '/'. For listeners that compare whole paths and find
  // nothing by their segments; clients of OCSP send base64 that way (RFC 6960, appendix A.1).
  bool escaped_slash = false;
};

enum class Progress { kNeedMore, kDone, kRefused };

// Why a message was refused: the status to answer with, and words for the sender.
struct Refusal {
  int status = 400;
  std::string_view reason;  // A constant.
};

// The part that requests and responses share: head, then body by one of four framings.
class MessageReader {
 public:
  explicit MessageReader(ParserLimits limits) : limits_(limits) {}

  // Takes octets from the front of `data` and removes those from it. After kDone what is
  // left belongs to the next message; after kRefused call refusal() and close.
  Progress Feed(std::string_view& data);

  bool started() const { return started_; }
  const Refusal& refusal() const { return refusal_; }

 protected:
  ~MessageReader() = default;

  enum class Framing { kNone, kLength, kChunked, kUntilClose };

  // Looks at the parsed head: start line and fields. Returns false after Refuse().
  virtual bool AcceptHead(std::string_view start_line) = 0;

  // For AcceptHead(): always false.
  bool Refuse(int status, std::string_view reason);
  // Sets framing_ from Content-Length and Transfer-Encoding; `http_1_0` forbids the latter.
  bool AcceptFraming(bool http_1_0);

  ParserLimits limits_;
  Fields fields_;
  std::string body_;
  Framing framing_ = Framing::kNone;
  std::size_t length_ = 0;  // With kLength.

 private:
  enum class Part { kHead, kBody, kChunkSize, kChunkData, kChunkEnd, kTrailer, kDone };

  bool FeedHead(std::string_view& data);
  bool ParseHead();
  bool ParseField(std::string_view line);
  bool FeedBody(std::string_view& data);
  bool FeedChunkData(std::string_view& data);
  // Collects a line into line_; true once it is whole, without its CRLF.
  bool FeedLine(std::string_view& data);
  bool AcceptChunkLine();

  Part part_ = Part::kHead;
  bool started_ = false;
  std::string line_;          // The head so far, later one line of the chunked coding.
  std::size_t overhead_ = 0;  // Octets of extensions and trailers so far.
  std::size_t chunk_left_ = 0;
  Refusal refusal_;
  bool refused_ = false;
};

// Reads one request. Make a new one for each.
class RequestParser final : public MessageReader {
 public:
  explicit RequestParser(ParserLimits limits) : MessageReader(limits) {}
  // After kDone; `connection` is left for the caller.
  Request Take();

 private:
  bool AcceptHead(std::string_view start_line) override;
  bool AcceptTarget(std::string_view target);
  bool AcceptHost(bool http_1_0);
  Request request_;
};

// What a server answered.
struct ParsedResponse {
  int status = 0;
  Fields fields;
  std::string body;
  bool keep_alive = true;
};

// Reads one response; interim ones (1xx) are refused, since we never ask for them.
class ResponseParser final : public MessageReader {
 public:
  ResponseParser(ParserLimits limits, bool head_request)
      : MessageReader(limits), head_request_(head_request) {}
  // Tells that the peer closed. True when that completes the response.
  bool Finish() const { return framing_ == Framing::kUntilClose && response_.status != 0; }
  ParsedResponse Take();

 private:
  bool AcceptHead(std::string_view start_line) override;
  ParsedResponse response_;
  bool head_request_;
};

}  // namespace devicetrust::http
