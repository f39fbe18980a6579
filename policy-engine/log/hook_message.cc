#include "policy-engine/log/hook_message.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>

#include "libs/base/encoding.h"
#include "libs/pki/digest.h"

namespace devicetrust::policy {

std::string HookBody(std::string_view hook, std::string_view delivery,
                     std::span<const std::string> events) {
  return fmt::format(R"({{"delivery":{},"events":[{}],"hook":{}}})", JsonQuote(delivery),
                     fmt::join(events, ","), JsonQuote(hook));
}

HookMessage SignHookMessage(std::string delivery, std::string body, std::int64_t now,
                            std::span<const HookKeyOctets> keys) {
  HookMessage message{std::move(delivery), std::to_string(now), {}, std::move(body)};
  const std::string text =
      fmt::format("v1:{}:{}:{}", message.timestamp, message.delivery, message.body);
  for (const HookKeyOctets& key : keys) {
    const auto mac = pki::HmacSha256(key.octets, AsBytes(text));
    message.signature +=
        fmt::format("{}v1={}:{}", message.signature.empty() ? "" : " ", key.kid, HexEncode(mac));
  }
  return message;
}

}  // namespace devicetrust::policy
