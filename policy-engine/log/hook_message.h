// What a receiver of an event hook gets: a body in JSON, and fields by which it knows that the org
// sent it, and when. docs/system-log.md tells receivers.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/bytes.h"

namespace devicetrust::policy {

struct HookKeyOctets {
  std::string kid;
  Bytes octets;
};

struct HookMessage {
  std::string delivery;   // Which events: "siem/AFTER-LAST", in sequences.
  std::string timestamp;  // Unix seconds of this try.
  // "v1=KID:HEX", one for each key, by blanks: HMAC-SHA256 over "v1:TIMESTAMP:DELIVERY:BODY".
  std::string signature;
  std::string body;
};

// `events` are JSON objects.
std::string HookBody(std::string_view hook, std::string_view delivery,
                     std::span<const std::string> events);

HookMessage SignHookMessage(std::string delivery, std::string body, std::int64_t now,
                            std::span<const HookKeyOctets> keys);

}  // namespace devicetrust::policy
