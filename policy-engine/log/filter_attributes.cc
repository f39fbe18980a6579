#include "policy-engine/log/filter_attributes.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <vector>

#include "libs/base/ascii.h"
#include "libs/eventlog/event_json.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;

constexpr std::array kAttributes = {
    AttributeInfo{"uuid", Attribute::kUuid, AttributeKind::kExact},
    AttributeInfo{"eventType", Attribute::kEventType, AttributeKind::kExact},
    AttributeInfo{"displayMessage", Attribute::kDisplayMessage, AttributeKind::kText},
    AttributeInfo{"published", Attribute::kPublished, AttributeKind::kTime},
    AttributeInfo{"sequence", Attribute::kSequence, AttributeKind::kNumber},
    AttributeInfo{"writer", Attribute::kWriter, AttributeKind::kText},
    AttributeInfo{"actor.type", Attribute::kActorType, AttributeKind::kText},
    AttributeInfo{"actor.id", Attribute::kActorId, AttributeKind::kText},
    AttributeInfo{"actor.alternateId", Attribute::kActorAlternateId, AttributeKind::kText},
    AttributeInfo{"actor.displayName", Attribute::kActorDisplayName, AttributeKind::kText},
    AttributeInfo{"client.ipAddress", Attribute::kClientAddress, AttributeKind::kText},
    AttributeInfo{"client.platform", Attribute::kClientPlatform, AttributeKind::kText},
    AttributeInfo{"client.device", Attribute::kClientDevice, AttributeKind::kText},
    AttributeInfo{"client.zone", Attribute::kClientZone, AttributeKind::kText},
    AttributeInfo{"client.userAgent.rawUserAgent", Attribute::kRawUserAgent, AttributeKind::kText},
    AttributeInfo{"client.userAgent.browser", Attribute::kBrowser, AttributeKind::kText},
    AttributeInfo{"client.userAgent.browserVersion", Attribute::kBrowserVersion,
                  AttributeKind::kText},
    AttributeInfo{"client.userAgent.os", Attribute::kOs, AttributeKind::kText},
    AttributeInfo{"target.type", Attribute::kTargetType, AttributeKind::kText},
    AttributeInfo{"target.id", Attribute::kTargetId, AttributeKind::kText},
    AttributeInfo{"target.alternateId", Attribute::kTargetAlternateId, AttributeKind::kText},
    AttributeInfo{"target.displayName", Attribute::kTargetDisplayName, AttributeKind::kText},
    AttributeInfo{"outcome.result", Attribute::kResult, AttributeKind::kText},
    AttributeInfo{"outcome.reason", Attribute::kReason, AttributeKind::kText},
    AttributeInfo{"transaction.id", Attribute::kTransactionId, AttributeKind::kExact},
};

// Levenshtein's, of short names.
std::size_t Distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      const std::size_t change = ToLower(a[i - 1]) == ToLower(b[j - 1]) ? 0 : 1;
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, diagonal + change});
      diagonal = above;
    }
  }
  return row.back();
}

std::string_view LastPart(std::string_view path) { return path.substr(path.rfind('.') + 1); }

std::string_view TargetValue(const v1::Target& target, Attribute attribute) {
  switch (attribute) {
    case Attribute::kTargetType:
      return target.type();
    case Attribute::kTargetId:
      return target.id();
    case Attribute::kTargetDisplayName:
      return target.display_name();
    default:
      return eventlog::AlternateId(target.type(), target.display_name());
  }
}

// Of attributes that have one value at most, and are no enumeration.
std::string_view SingleValue(const v1::Event& event, Attribute attribute) {
  const v1::ClientContext& client = event.client();
  switch (attribute) {
    case Attribute::kUuid:
      return event.id();
    case Attribute::kEventType:
      return event.type();
    case Attribute::kDisplayMessage:
      return event.display_message();
    case Attribute::kWriter:
      return event.writer();
    case Attribute::kActorType:
      return event.actor().type();
    case Attribute::kActorId:
      return event.actor().id();
    case Attribute::kActorAlternateId:
      return eventlog::AlternateId(event.actor().type(), event.actor().display_name());
    case Attribute::kActorDisplayName:
      return event.actor().display_name();
    case Attribute::kClientAddress:
      return client.address();
    case Attribute::kClientPlatform:
      return client.platform();
    case Attribute::kClientDevice:
      return client.device();
    case Attribute::kRawUserAgent:
      return client.user_agent();
    case Attribute::kBrowser:
      return client.browser();
    case Attribute::kBrowserVersion:
      return client.browser_version();
    case Attribute::kOs:
      return client.os();
    case Attribute::kReason:
      return event.outcome().reason();
    case Attribute::kTransactionId:
      return event.transaction().id();
    default:
      return {};
  }
}

}  // namespace

const AttributeInfo* FindAttribute(std::string_view path) {
  const auto* const found = std::ranges::find_if(kAttributes, [path](const AttributeInfo& info) {
    return EqualIgnoringCase(info.path, path);
  });
  return found == kAttributes.end() ? nullptr : found;
}

std::string_view NearestAttribute(std::string_view path) {
  constexpr std::size_t kPathBytesMax = 64;
  if (path.size() > kPathBytesMax) return {};
  std::string_view nearest;
  std::size_t least = std::max<std::size_t>(2, path.size() / 3) + 1;
  for (const AttributeInfo& info : kAttributes) {
    // "alternateId" and "user.alternateId" mean actor.alternateId.
    const std::size_t distance =
        std::min(Distance(info.path, path), 1 + Distance(LastPart(info.path), LastPart(path)));
    if (distance < least) {
      least = distance;
      nearest = info.path;
    }
  }
  return nearest;
}

bool AnyValue(const v1::Event& event, const v1::Target* target, Attribute attribute,
              std::string_view key, const std::function<bool(std::string_view)>& visit) {
  const auto see = [&visit](std::string_view value) { return !value.empty() && visit(value); };
  switch (attribute) {
    case Attribute::kTargetType:
    case Attribute::kTargetId:
    case Attribute::kTargetAlternateId:
    case Attribute::kTargetDisplayName:
      if (target != nullptr) return see(TargetValue(*target, attribute));
      return std::ranges::any_of(
          event.targets(), [&](const v1::Target& one) { return see(TargetValue(one, attribute)); });
    case Attribute::kClientZone:
      return std::ranges::any_of(event.client().zones(), see);
    case Attribute::kResult:
      return see(eventlog::ResultName(event.outcome().result()));
    case Attribute::kDebugData:
      return std::ranges::any_of(event.debug_data(), [&](const auto& entry) {
        return EqualIgnoringCase(entry.first, key) && see(entry.second);
      });
    default:
      return see(SingleValue(event, attribute));
  }
}

}  // namespace devicetrust::policy
