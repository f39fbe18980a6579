#include "libs/http/parser.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "libs/base/ascii.h"
#include "libs/base/octet_class.h"

namespace devicetrust::http {
namespace {

// RFC 9110, section 5.6.2.
constexpr OctetClass kTokenChar([](char c) {
  if (IsAlnum(c)) return true;
  return c != '\0' && std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
});

bool IsToken(std::string_view text) { return IsAll(text, kTokenChar); }

constexpr OctetClass kValueChar([](char c) { return c == '\t' || !IsControl(c); });

std::string_view TrimBlanks(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// RFC 3986: what a path and query may hold unescaped, '/' and '?' too.
constexpr OctetClass kTargetChar([](char c) {
  if (IsAlnum(c)) return true;
  return c != '\0' && std::string_view("-._~!$&'()*+,;=:@/?%").find(c) != std::string_view::npos;
});

// What browsers leave as it is in a query, though RFC 3986 wants it escaped.
constexpr OctetClass kQueryChar([](char c) {
  return kTargetChar(c) ||
         (c != '\0' && std::string_view("[]{}|^\\`").find(c) != std::string_view::npos);
});

// True when `option` is a member of Connection: "keep-alive, close" and the like. Several
// fields are one list (RFC 9110, section 5.3).
bool HasOption(const Fields& fields, std::string_view option) {
  for (const Field& field : fields.all()) {
    if (field.name != "connection") continue;
    const std::string lower = LowerCase(field.value);
    std::string_view rest = lower;
    while (!rest.empty()) {
      const std::size_t end = std::min(rest.find(','), rest.size());
      if (TrimBlanks(rest.substr(0, end)) == option) return true;
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  }
  return false;
}

bool HasDotSegment(std::string_view path) {
  while (!path.empty()) {
    path.remove_prefix(1);  // The slash.
    const std::size_t end = std::min(path.find('/'), path.size());
    const std::string_view segment = path.substr(0, end);
    if (segment == "." || segment == "..") return true;
    path.remove_prefix(end);
  }
  return false;
}

// Splits "name:port", "[v6]:port" or either without a port. False when malformed. A dot behind a
// name only says that it is whole (RFC 1034, section 3.1), and is cut off.
bool SplitHost(std::string_view text, std::string& host, std::uint16_t& port) {
  std::size_t end = text.find(':');
  if (text.starts_with('[')) {
    end = text.find(']');
    if (end == std::string_view::npos || end < 3) return false;
    const std::string_view address = text.substr(1, end - 1);
    const bool plain = std::all_of(address.begin(), address.end(),
                                   [](char c) { return IsHexDigit(c) || c == ':' || c == '.'; });
    if (!plain) return false;
    ++end;
  } else {
    end = std::min(end, text.size());
    std::string_view name = text.substr(0, end);
    if (name.ends_with('.')) name.remove_suffix(1);
    const bool plain =
        std::all_of(name.begin(), name.end(), [](char c) { return IsBase64Url(c) || c == '.'; });
    if (!plain || name.empty() || name.starts_with('.') || name.ends_with('.') ||
        name.size() > 253) {
      return false;
    }
  }
  host = LowerCase(text.substr(0, end));
  if (host.ends_with('.')) host.pop_back();
  port = 0;
  std::string_view rest = text.substr(end);
  if (rest.empty()) return true;
  if (rest.front() != ':') return false;
  rest.remove_prefix(1);
  const auto [stop, error] = std::from_chars(rest.data(), rest.data() + rest.size(), port);
  return error == std::errc() && stop == rest.data() + rest.size() && IsDigit(rest.front()) &&
         port != 0;
}

}  // namespace

bool MessageReader::Refuse(int status, std::string_view reason) {
  refusal_ = {status, reason};
  refused_ = true;
  return false;
}

Progress MessageReader::Feed(std::string_view& data) {
  started_ = started_ || !data.empty();
  while (!refused_ && part_ != Part::kDone && !data.empty()) {
    switch (part_) {
      case Part::kHead:
        FeedHead(data);
        break;
      case Part::kBody:
        FeedBody(data);
        break;
      case Part::kChunkData:
        FeedChunkData(data);
        break;
      case Part::kChunkSize:
      case Part::kChunkEnd:
      case Part::kTrailer:
        if (FeedLine(data)) AcceptChunkLine();
        break;
      case Part::kDone:
        break;
    }
  }
  if (refused_) return Progress::kRefused;
  return part_ == Part::kDone ? Progress::kDone : Progress::kNeedMore;
}

// Moves octets to line_ until the blank line that ends the head. Controls are refused as
// they come, so that nothing malformed waits for an end that never does.
bool MessageReader::FeedHead(std::string_view& data) {
  while (!data.empty()) {
    const bool after_cr = line_.ends_with('\r');
    // Up to the end of the line at once, or one octet of that end.
    const std::size_t run = after_cr ? 0 : kValueChar.Run(data);
    const std::size_t taken = std::max<std::size_t>(run, 1);
    if (run == 0) {
      if (after_cr != (data.front() == '\n')) return Refuse(400, "a line must end with CRLF");
      if (!after_cr && data.front() != '\r') return Refuse(400, "control octet in the head");
    }
    if (taken > limits_.head_bytes_max - line_.size()) return Refuse(431, "the head is too long");
    line_ += data.substr(0, taken);
    data.remove_prefix(taken);
    if (!after_cr) continue;
    if (line_.size() == 2) return Refuse(400, "a blank line before the message");
    if (line_.ends_with("\r\n\r\n")) return ParseHead();
  }
  return true;
}

bool MessageReader::ParseHead() {
  std::string_view head = line_;
  head.remove_suffix(2);
  const std::size_t first_end = head.find("\r\n");
  const std::string start_line(head.substr(0, first_end));
  head.remove_prefix(first_end + 2);
  while (!head.empty()) {
    const std::size_t end = head.find("\r\n");
    if (fields_.all().size() == limits_.fields_max) return Refuse(431, "too many fields");
    if (!ParseField(head.substr(0, end))) return false;
    head.remove_prefix(end + 2);
  }
  line_.clear();
  if (!AcceptHead(start_line)) return false;
  switch (framing_) {
    case Framing::kNone:
      part_ = Part::kDone;
      break;
    case Framing::kLength:
      part_ = length_ == 0 ? Part::kDone : Part::kBody;
      break;
    case Framing::kUntilClose:
      part_ = Part::kBody;
      break;
    case Framing::kChunked:
      part_ = Part::kChunkSize;
      break;
  }
  return true;
}

bool MessageReader::ParseField(std::string_view line) {
  if (line.front() == ' ' || line.front() == '\t') return Refuse(400, "a folded field");
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return Refuse(400, "a field without a colon");
  if (!IsToken(line.substr(0, colon))) return Refuse(400, "a field name that is no token");
  fields_.Add(line.substr(0, colon), TrimBlanks(line.substr(colon + 1)));
  return true;
}

bool MessageReader::AcceptFraming(bool http_1_0) {
  const std::size_t codings = fields_.Count("transfer-encoding");
  const std::size_t lengths = fields_.Count("content-length");
  if (codings > 0) {
    if (http_1_0) return Refuse(400, "Transfer-Encoding in HTTP/1.0");
    if (lengths > 0) return Refuse(400, "Content-Length beside Transfer-Encoding");
    if (codings > 1 || LowerCase(*fields_.Find("transfer-encoding")) != "chunked") {
      return Refuse(400, "Transfer-Encoding must be chunked, once");
    }
    framing_ = Framing::kChunked;
    return true;
  }
  if (lengths == 0) return true;
  if (lengths > 1) return Refuse(400, "more than one Content-Length");
  const std::string_view text = *fields_.Find("content-length");
  if (text.empty() || text.size() > 19 || !std::all_of(text.begin(), text.end(), &IsDigit)) {
    return Refuse(400, "Content-Length must be 1 to 19 digits");
  }
  std::from_chars(text.data(), text.data() + text.size(), length_);
  if (length_ > limits_.body_bytes_max) return Refuse(413, "the body is too long");
  framing_ = Framing::kLength;
  return true;
}

bool MessageReader::FeedBody(std::string_view& data) {
  const bool counted = framing_ == Framing::kLength;
  const std::size_t taken = counted ? std::min(length_ - body_.size(), data.size()) : data.size();
  if (body_.size() + taken > limits_.body_bytes_max) return Refuse(413, "the body is too long");
  body_.append(data.substr(0, taken));
  data.remove_prefix(taken);
  if (counted && body_.size() == length_) part_ = Part::kDone;
  return true;
}

bool MessageReader::FeedChunkData(std::string_view& data) {
  const std::size_t taken = std::min(chunk_left_, data.size());
  body_.append(data.substr(0, taken));
  data.remove_prefix(taken);
  chunk_left_ -= taken;
  if (chunk_left_ == 0) part_ = Part::kChunkEnd;
  return true;
}

bool MessageReader::FeedLine(std::string_view& data) {
  for (std::size_t i = 0; i < data.size(); ++i) {
    const char c = data[i];
    const bool after_cr = !line_.empty() && line_.back() == '\r';
    if (after_cr != (c == '\n')) return Refuse(400, "a line must end with CRLF");
    if (c != '\r' && c != '\n' && !kValueChar(c)) return Refuse(400, "control octet in a chunk");
    if (++overhead_ > limits_.chunk_overhead_bytes_max + body_.size() / 16) {
      return Refuse(431, "chunk extensions and trailers are too long");
    }
    if (c == '\n') {
      line_.pop_back();
      data.remove_prefix(i + 1);
      return true;
    }
    line_.push_back(c);
  }
  data.remove_prefix(data.size());
  return false;
}

// One line of the chunked coding (RFC 9112, section 7.1) is in line_.
bool MessageReader::AcceptChunkLine() {
  const std::string line = std::move(line_);
  line_.clear();
  if (part_ == Part::kChunkEnd) {
    if (!line.empty()) return Refuse(400, "a chunk longer than its size");
    part_ = Part::kChunkSize;
    return true;
  }
  if (part_ == Part::kTrailer) {
    if (line.empty()) {
      part_ = Part::kDone;
      return true;
    }
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos || !IsToken(std::string_view(line).substr(0, colon))) {
      return Refuse(400, "a malformed trailer");
    }
    return true;
  }
  const std::string_view digits = std::string_view(line).substr(0, line.find(';'));
  std::size_t size = 0;
  const auto [stop, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), size, 16);
  if (digits.empty() || digits.size() > 8 || error != std::errc() ||
      stop != digits.data() + digits.size()) {
    return Refuse(400, "a chunk size must be 1 to 8 hex digits");
  }
  if (size > limits_.body_bytes_max - body_.size()) return Refuse(413, "the body is too long");
  chunk_left_ = size;
  part_ = size == 0 ? Part::kTrailer : Part::kChunkData;
  return true;
}

bool RequestParser::AcceptHead(std::string_view start_line) {
  const std::size_t first = start_line.find(' ');
  const std::size_t second = start_line.find(' ', std::min(first, start_line.size() - 1) + 1);
  if (first == std::string_view::npos || second == std::string_view::npos) {
    return Refuse(400, "the request line must be METHOD TARGET VERSION");
  }
  const std::string_view method = start_line.substr(0, first);
  const std::string_view version = start_line.substr(second + 1);
  if (!IsToken(method)) return Refuse(400, "the method is no token");
  if (version != "HTTP/1.1" && version != "HTTP/1.0") {
    const bool http = version.size() == 8 && version.starts_with("HTTP/") && IsDigit(version[5]) &&
                      version[6] == '.' && IsDigit(version[7]);
    return http ? Refuse(505, "HTTP/1.1 only") : Refuse(400, "the request line has no version");
  }
  if (method != "GET" && method != "HEAD" && method != "POST")
    return Refuse(501, "only GET, HEAD and POST are served here");
  request_.method = method;

  for (const std::string_view once : {"content-type", "cookie", "origin", "authorization"}) {
    if (fields_.Count(once) > 1) return Refuse(400, "a field that may come only once came twice");
  }
  const bool http_1_0 = version == "HTTP/1.0";
  if (!AcceptTarget(start_line.substr(first + 1, second - first - 1)) || !AcceptHost(http_1_0) ||
      !AcceptFraming(http_1_0)) {
    return false;
  }
  const bool has_body = framing_ == Framing::kChunked || length_ > 0;
  if (has_body && method != "POST") return Refuse(400, "a body with GET or HEAD");
  // HTTP/1.0 knows no interim answers: there the field is ignored (RFC 9110, section 10.1.1).
  if (!http_1_0 && fields_.Count("expect") > 0) return Refuse(417, "Expect is not supported");
  request_.keep_alive =
      !HasOption(fields_, "close") && (!http_1_0 || HasOption(fields_, "keep-alive"));
  return true;
}

bool RequestParser::AcceptTarget(std::string_view target) {
  if (target.size() > limits_.target_bytes_max) return Refuse(414, "the target is too long");
  if (!target.starts_with('/') || target.starts_with("//")) {
    return Refuse(400, "the target must be a path");
  }
  const std::size_t question = std::min(target.find('?'), target.size());
  const std::string_view raw_path = target.substr(0, question);
  const std::string_view raw_query = target.substr(question);
  if (!kTargetChar.HasAll(raw_path) || !kQueryChar.HasAll(raw_query)) {
    return Refuse(400, "an octet in the target that must be escaped");
  }
  const std::string lower = LowerCase(raw_path);
  const bool slash = !limits_.escaped_slash && lower.find("%2f") != std::string::npos;
  if (slash || lower.find("%5c") != std::string::npos) {
    return Refuse(400, "an escaped slash in the path");
  }
  absl::StatusOr<std::string> path = PercentDecode(raw_path, false);
  if (!path.ok()) return Refuse(400, "a bad escape in the path");
  if (HasDotSegment(*path)) return Refuse(400, "a dot segment in the path");
  if (!kValueChar.HasAll(*path)) {
    return Refuse(400, "a control octet in the path");
  }
  request_.target = target;
  request_.path = *std::move(path);
  request_.query = target.substr(std::min(question + 1, target.size()));
  return true;
}

bool RequestParser::AcceptHost(bool http_1_0) {
  if (http_1_0 && limits_.host_optional && fields_.Count("host") == 0) return true;
  if (fields_.Count("host") != 1) return Refuse(400, "exactly one Host is needed");
  if (!SplitHost(*fields_.Find("host"), request_.host, request_.port)) {
    return Refuse(400, "a malformed Host");
  }
  return true;
}

Request RequestParser::Take() {
  request_.fields = std::move(fields_);
  request_.body = std::move(body_);
  return std::move(request_);
}

bool ResponseParser::AcceptHead(std::string_view start_line) {
  const bool shaped = start_line.size() >= 12 && start_line.starts_with("HTTP/1.") &&
                      (start_line[7] == '0' || start_line[7] == '1') && start_line[8] == ' ' &&
                      std::all_of(start_line.begin() + 9, start_line.begin() + 12, &IsDigit) &&
                      (start_line.size() == 12 || start_line[12] == ' ');
  if (!shaped) return Refuse(502, "the status line is malformed");
  std::from_chars(start_line.data() + 9, start_line.data() + 12, response_.status);
  if (response_.status < 200) return Refuse(502, "an interim response");
  const bool http_1_0 = start_line[7] == '0';
  if (!AcceptFraming(http_1_0)) return false;
  if (head_request_ || response_.status == 204 || response_.status == 304) {
    framing_ = Framing::kNone;
    length_ = 0;
  } else if (framing_ == Framing::kNone) {
    framing_ = Framing::kUntilClose;
  }
  response_.keep_alive = framing_ != Framing::kUntilClose && !HasOption(fields_, "close") &&
                         (!http_1_0 || HasOption(fields_, "keep-alive"));
  return true;
}

ParsedResponse ResponseParser::Take() {
  response_.fields = std::move(fields_);
  response_.body = std::move(body_);
  return std::move(response_);
}

}  // namespace devicetrust::http
