#include "libs/admin/log_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "libs/admin/json_text.h"
#include "libs/base/encoding.h"
#include "libs/base/utc_time.h"
#include "libs/eventlog/chain.h"
#include "libs/eventlog/event_json.h"
#include "libs/rpc/timestamps.h"

namespace devicetrust::admin {
namespace {

namespace v1 = ::devicetrust::org::v1;
using eventlog::ChainVerifier;
using eventlog::Hash;

constexpr int kPruningsSeenMax = 3;
constexpr std::size_t kLineBytesMax = 1024 * 1024;

// Events and heads in step: each head is held against the chain where it stands.
class HeadedVerifier {
 public:
  HeadedVerifier(ChainVerifier verifier, std::vector<v1::LogHead> heads)
      : verifier_(std::move(verifier)), heads_(std::move(heads)) {
    std::ranges::stable_sort(heads_, {}, [](const v1::LogHead& head) { return head.sequence(); });
  }

  bool Add(const eventlog::ChainedEvent& event) {
    return PassHeads(event.sequence - 1) && verifier_.Add(event);
  }
  // All heads that are left must be at the end of what was read.
  bool Finish() { return PassHeads(std::numeric_limits<std::int64_t>::max()); }

  void Report(LogCheck& check) const {
    check.events = verifier_.verified() + verifier_.unchained();
    check.unchained = verifier_.unchained();
    check.heads = static_cast<std::int64_t>(passed_);
    check.problem = verifier_.problem();
  }

 private:
  bool PassHeads(std::int64_t up_to) {
    for (; passed_ < heads_.size() && heads_[passed_].sequence() <= up_to; ++passed_) {
      const v1::LogHead& head = heads_[passed_];
      const auto hash = eventlog::HashFrom(head.hash());
      if (!verifier_.EndsWith(head.sequence(), hash.value_or(eventlog::kNoHash))) return false;
    }
    return verifier_.problem().empty();
  }

  ChainVerifier verifier_;
  std::vector<v1::LogHead> heads_;
  std::size_t passed_ = 0;
};

// Those whose events are there yet, with what is wrong with a signature.
absl::StatusOr<std::vector<v1::LogHead>> HeadsToPass(AdminClient& client,
                                                     const v1::GetLogChainResponse& chain,
                                                     const std::optional<v1::LogHead>& kept,
                                                     std::string& problem) {
  DT_ASSIGN_OR_RETURN(std::vector<v1::LogHead> heads, client.ListLogHeads(chain.anchor_sequence()));
  std::erase_if(heads, [&chain](const v1::LogHead& head) {
    return head.sequence() > chain.head().sequence();  // Signed while this went on.
  });
  if (kept && kept->sequence() > chain.anchor_sequence()) heads.push_back(*kept);
  if (kept && kept->sequence() == chain.anchor_sequence() && kept->hash() != chain.anchor_hash()) {
    problem = "the event of the head that was kept is gone, and another hash stands for it";
  }
  if (kept && kept->sequence() < chain.anchor_sequence()) {
    problem = fmt::format(
        "the head that was kept is of sequence {}, and the log begins after {}: nothing is left to"
        " hold it against; retention takes old events, so keep a newer head",
        kept->sequence(), chain.anchor_sequence());
  }
  heads.push_back(chain.head());
  const auto key = pki::PublicKey::FromSpki(AsBytes(chain.public_key()));
  if (!key.ok()) {
    problem = "the org's key for heads is none: " + std::string(key.status().message());
    return heads;
  }
  for (const v1::LogHead& head : heads) {
    const absl::Status status = eventlog::CheckHead(head, *key);
    if (!status.ok()) problem = std::string(status.message());
  }
  return heads;
}

absl::StatusOr<LogCheck> CheckOnce(AdminClient& client, const std::optional<v1::LogHead>& kept,
                                   std::int64_t& anchor) {
  DT_ASSIGN_OR_RETURN(const v1::GetLogChainResponse chain, client.GetLogChain());
  anchor = chain.anchor_sequence();
  LogCheck check;
  check.head = chain.head();
  DT_ASSIGN_OR_RETURN(std::vector<v1::LogHead> heads,
                      HeadsToPass(client, chain, kept, check.problem));
  if (!check.problem.empty()) return check;
  const auto after = eventlog::HashFrom(chain.anchor_hash());
  ChainVerifier verifier(after.value_or(eventlog::kNoHash));
  verifier.SetChainedFrom(chain.chained_from());
  HeadedVerifier headed(std::move(verifier), std::move(heads));
  DT_RETURN_IF_ERROR(client.ReplayEvents({}, 0, chain.head().sequence(), [&](const auto& event) {
    return headed.Add(eventlog::ChainedEventOf(event));
  }));
  headed.Finish();
  headed.Report(check);
  return check;
}

std::string TextAt(const nlohmann::json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::optional<Hash> HashAt(const nlohmann::json& object, const char* name) {
  const auto octets = HexDecode(TextAt(object, name));
  return octets.ok() ? eventlog::HashFrom(ToString(*octets)) : std::nullopt;
}

// Of one line of an export. nlohmann's objects are sorted, and dumped without blanks: the canonical
// form, whatever members a later release has added.
std::optional<eventlog::ChainedEvent> ChainedEventOfLine(const std::string& line) {
  nlohmann::json event = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!event.is_object() || !event.contains("sequence") || !event["sequence"].is_number_integer()) {
    return std::nullopt;
  }
  eventlog::ChainedEvent chained;
  chained.id = TextAt(event, "uuid");
  chained.published = TextAt(event, "published");
  chained.sequence = event["sequence"].get<std::int64_t>();
  if (const auto chain = event.find("chain"); chain != event.end() && chain->is_object()) {
    chained.previous = HashAt(*chain, "previousHash");
    chained.hash = HashAt(*chain, "hash");
  }
  event.erase("chain");
  event.erase("sequence");
  try {
    chained.content = pki::Sha256(event.dump());
  } catch (const nlohmann::json::exception&) {  // No UTF-8.
    return std::nullopt;
  }
  return chained;
}

}  // namespace

// While it is read, retention may take events from its front; then it is read again.
absl::StatusOr<LogCheck> CheckLog(AdminClient& client, const std::optional<v1::LogHead>& kept) {
  LogCheck check;
  for (int i = 0; i < kPruningsSeenMax; ++i) {
    std::int64_t anchor = 0;
    DT_ASSIGN_OR_RETURN(check, CheckOnce(client, kept, anchor));
    if (check.problem.empty()) return check;
    DT_ASSIGN_OR_RETURN(const v1::GetLogChainResponse now, client.GetLogChain());
    if (now.anchor_sequence() == anchor) return check;
  }
  return check;
}

LogCheck CheckExport(std::istream& lines, const std::optional<v1::LogHead>& kept) {
  std::vector<v1::LogHead> heads;
  if (kept) heads.push_back(*kept);
  ChainVerifier verifier;
  verifier.SetChainedFrom(std::numeric_limits<std::int64_t>::max());
  HeadedVerifier headed(std::move(verifier), std::move(heads));
  LogCheck check;
  std::string line;
  for (std::int64_t number = 1; std::getline(lines, line); ++number) {
    if (line.empty()) continue;
    const auto event = line.size() <= kLineBytesMax ? ChainedEventOfLine(line)
                                                    : std::optional<eventlog::ChainedEvent>();
    if (!event) {
      headed.Report(check);
      if (check.problem.empty()) {
        check.problem = fmt::format(
            "line {}: this is no event of an export (dtctl log export --format ndjson)", number);
      }
      return check;
    }
    if (!headed.Add(*event)) break;
  }
  headed.Finish();
  headed.Report(check);
  if (check.problem.empty() && check.events == 0) check.problem = "there is no event in it";
  return check;
}

std::string HeadJson(const v1::LogHead& head) {
  const nlohmann::ordered_json json = {{"org", head.org()},
                                       {"sequence", head.sequence()},
                                       {"hash", HexEncode(AsBytes(head.hash()))},
                                       {"at", eventlog::EventTime(head.at())},
                                       {"keyId", head.key_id()},
                                       {"signature", Base64UrlEncode(AsBytes(head.signature()))}};
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

absl::StatusOr<v1::LogHead> HeadFromJson(const std::string& file, std::string_view text) {
  DT_ASSIGN_OR_RETURN(const nlohmann::ordered_json parsed, ParseJson(file, text));
  const nlohmann::json json = parsed;
  v1::LogHead head;
  const auto hash = HashAt(json, "hash");
  const auto at = ParseUtc(TextAt(json, "at"));
  const auto signature = Base64UrlDecode(TextAt(json, "signature"));
  const bool whole = json.is_object() && json.contains("sequence") &&
                     json["sequence"].is_number_integer() && hash && at.ok() && signature.ok();
  if (!whole) {
    return absl::InvalidArgumentError(
        fmt::format("{}: this is no head of a System Log; `dtctl log head` writes one", file));
  }
  head.set_org(TextAt(json, "org"));
  head.set_sequence(json["sequence"].get<std::int64_t>());
  head.set_hash(std::string(hash->begin(), hash->end()));
  *head.mutable_at() = rpc::ToTimestamp(*at);
  head.set_key_id(TextAt(json, "keyId"));
  head.set_signature(ToString(*signature));
  return head;
}

}  // namespace devicetrust::admin
