// The attributes of an event that filters name: the members of its JSON form
// (libs/eventlog/event_json.h), by their paths.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "devicetrust/org/v1/system_log.pb.h"

namespace devicetrust::policy {

enum class Attribute {
  kUuid,
  kEventType,
  kDisplayMessage,
  kPublished,
  kSequence,
  kWriter,
  kActorType,
  kActorId,
  kActorAlternateId,
  kActorDisplayName,
  kClientAddress,
  kClientPlatform,
  kClientDevice,
  kClientZone,
  kRawUserAgent,
  kBrowser,
  kBrowserVersion,
  kOs,
  kTargetType,
  kTargetId,
  kTargetAlternateId,
  kTargetDisplayName,
  kResult,
  kReason,
  kTransactionId,
  kDebugData,  // With a key.
};

// How its values compare.
enum class AttributeKind {
  kText,    // As names do (libs/base/names.h).
  kExact,   // Octet by octet: identifiers.
  kTime,    // In time.
  kNumber,  // As a whole number.
};

struct AttributeInfo {
  std::string_view path;  // "actor.alternateId"
  Attribute attribute;
  AttributeKind kind;
};

// By its path, in any case; nullptr: none. Paths below debugContext.debugData are the caller's.
const AttributeInfo* FindAttribute(std::string_view path);
// The path that is spelled most like this one; empty when none is near.
std::string_view NearestAttribute(std::string_view path);

inline constexpr std::string_view kDebugDataPath = "debugContext.debugData.";

// Calls `visit` with each value that is not empty, until it returns true, and returns whether it
// did. Not for times and numbers. `target`, when given, is the only one that counts. `key` is that
// of kDebugData, in any case.
bool AnyValue(const org::v1::Event& event, const org::v1::Target* target, Attribute attribute,
              std::string_view key, const std::function<bool(std::string_view)>& visit);

}  // namespace devicetrust::policy
