#include "libs/eventlog/event_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>
#include <vector>

#include "libs/base/encoding.h"
#include "libs/base/utc_time.h"
#include "libs/rpc/timestamps.h"

namespace devicetrust::eventlog {
namespace {

namespace v1 = ::devicetrust::org::v1;

constexpr std::size_t kUsualBytes = 1024;

// Writes members in the order in which they are given.
class JsonWriter {
 public:
  explicit JsonWriter(std::string& out) : out_(out) {}

  void Begin() { Open('{'); }
  void Begin(std::string_view name) {
    Name(name);
    Open('{');
  }
  void End() { Close('}'); }
  void BeginList(std::string_view name) {
    Name(name);
    Open('[');
  }
  void EndList() { Close(']'); }
  void Element(std::string_view text) {
    Separate();
    Text(text);
  }
  void BeginElement() {
    Separate();
    Open('{');
  }
  void Member(std::string_view name, std::string_view text) {
    Name(name);
    Text(text);
  }
  void MemberUnlessEmpty(std::string_view name, std::string_view text) {
    if (!text.empty()) Member(name, text);
  }
  void Member(std::string_view name, std::int64_t number) {
    Name(name);
    fmt::format_to(std::back_inserter(out_), "{}", number);
  }

 private:
  void Open(char bracket) {
    out_ += bracket;
    first_ = true;
  }
  void Close(char bracket) {
    out_ += bracket;
    first_ = false;
  }
  void Separate() {
    if (!std::exchange(first_, false)) out_ += ',';
  }
  void Name(std::string_view name) {
    Separate();
    Text(name);
    out_ += ':';
  }
  void Text(std::string_view text) {
    out_ += '"';
    for (std::size_t i = 0; i < text.size();) {
      std::size_t plain = i;  // Most texts are nothing else.
      while (plain < text.size() && IsPlain(text[plain])) ++plain;
      out_ += text.substr(i, plain - i);
      if (plain == text.size()) break;
      i = plain;
      const auto octet = static_cast<unsigned char>(text[i]);
      if (octet >= 0x80) {
        const std::size_t length = Utf8Length(text.substr(i));
        out_ += length == 0 ? std::string_view("\xEF\xBF\xBD") : text.substr(i, length);
        i += std::max<std::size_t>(length, 1);
        continue;
      }
      Ascii(text[i++]);
    }
    out_ += '"';
  }
  static bool IsPlain(char c) {
    const auto octet = static_cast<unsigned char>(c);
    return octet >= 0x20 && octet < 0x80 && c != '"' && c != '\\';
  }
  void Ascii(char c) {
    switch (c) {
      case '"':
      case '\\':
        out_ += '\\';
        out_ += c;
        return;
      case '\b':
        out_ += "\\b";
        return;
      case '\f':
        out_ += "\\f";
        return;
      case '\n':
        out_ += "\\n";
        return;
      case '\r':
        out_ += "\\r";
        return;
      case '\t':
        out_ += "\\t";
        return;
      default:
        break;
    }
    fmt::format_to(std::back_inserter(out_), "\\u{:04x}", static_cast<unsigned>(c));
  }

  std::string& out_;
  bool first_ = true;
};

void WriteParty(JsonWriter& json, const std::string& type, const std::string& id,
                const std::string& display_name) {
  json.MemberUnlessEmpty("alternateId", AlternateId(type, display_name));
  json.MemberUnlessEmpty("displayName", display_name);
  json.MemberUnlessEmpty("id", id);
  json.MemberUnlessEmpty("type", type);
}

void WriteClient(JsonWriter& json, const v1::ClientContext& client) {
  json.Begin("client");
  json.MemberUnlessEmpty("device", client.device());
  json.MemberUnlessEmpty("ipAddress", client.address());
  json.MemberUnlessEmpty("platform", client.platform());
  json.Begin("userAgent");
  json.MemberUnlessEmpty("browser", client.browser());
  json.MemberUnlessEmpty("browserVersion", client.browser_version());
  json.MemberUnlessEmpty("os", client.os());
  json.MemberUnlessEmpty("rawUserAgent", client.user_agent());
  json.End();
  if (!client.zones().empty()) {
    json.BeginList("zone");
    for (const std::string& zone : client.zones()) json.Element(zone);
    json.EndList();
  }
  json.End();
}

void WriteDebugData(JsonWriter& json, const v1::Event& event) {
  std::vector<std::pair<std::string_view, std::string_view>> data;
  data.reserve(static_cast<std::size_t>(event.debug_data_size()));
  for (const auto& [key, value] : event.debug_data()) data.emplace_back(key, value);
  std::ranges::sort(data);
  json.Begin("debugContext");
  json.Begin("debugData");
  for (const auto& [key, value] : data) json.Member(key, value);
  json.End();
  json.End();
}

std::string Hex(const std::string& hash) { return HexEncode(AsBytes(hash)); }

std::string Write(const v1::Event& event, bool with_place) {
  std::string out;
  out.reserve(kUsualBytes);
  JsonWriter json(out);
  json.Begin();
  json.Begin("actor");
  WriteParty(json, event.actor().type(), event.actor().id(), event.actor().display_name());
  json.End();
  if (with_place && event.has_chain()) {
    json.Begin("chain");
    json.Member("hash", Hex(event.chain().hash()));
    json.Member("previousHash", Hex(event.chain().previous_hash()));
    json.End();
  }
  WriteClient(json, event.client());
  WriteDebugData(json, event);
  json.Member("displayMessage", event.display_message());
  json.Member("eventType", event.type());
  json.Begin("outcome");
  json.MemberUnlessEmpty("reason", event.outcome().reason());
  json.MemberUnlessEmpty("result", ResultName(event.outcome().result()));
  json.End();
  json.Member("published", EventTime(event.at()));
  if (with_place) json.Member("sequence", event.sequence());
  json.BeginList("target");
  for (const v1::Target& target : event.targets()) {
    json.BeginElement();
    WriteParty(json, target.type(), target.id(), target.display_name());
    json.End();
  }
  json.EndList();
  json.Begin("transaction");
  json.MemberUnlessEmpty("id", event.transaction().id());
  json.End();
  json.Member("uuid", event.id());
  json.Member("writer", event.writer());
  json.End();
  return out;
}

}  // namespace

std::string EventJson(const v1::Event& event) { return Write(event, true); }

std::string CanonicalJson(const v1::Event& event) { return Write(event, false); }

std::string EventTime(const google::protobuf::Timestamp& at) {
  std::string text = FormatUtc(AtUnixSeconds(at.seconds()));
  const int nanos = at.nanos();
  if (nanos <= 0 || nanos > 999'999'999) return text;
  text.pop_back();
  if (nanos % 1'000'000 == 0) return fmt::format("{}.{:03}Z", text, nanos / 1'000'000);
  if (nanos % 1'000 == 0) return fmt::format("{}.{:06}Z", text, nanos / 1'000);
  return fmt::format("{}.{:09}Z", text, nanos);
}

std::string_view AlternateId(std::string_view type, const std::string& display_name) {
  return type == "User" ? std::string_view(display_name) : std::string_view();
}

std::string ResultName(v1::EventOutcome::Result result) {
  if (result == v1::EventOutcome::RESULT_UNSPECIFIED) return {};
  constexpr std::string_view kPrefix = "RESULT_";
  const std::string& name = v1::EventOutcome::Result_Name(result);
  if (name.empty()) return fmt::format("{}", static_cast<int>(result));
  return name.substr(kPrefix.size());
}

}  // namespace devicetrust::eventlog
