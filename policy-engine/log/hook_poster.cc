#include "policy-engine/log/hook_poster.h"

#include <fmt/format.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <utility>

#include "libs/base/task.h"
#include "libs/http/client.h"
#include "libs/http/server.h"
#include "libs/http/url.h"
#include "libs/rpc/error.h"

namespace devicetrust::policy {
namespace {

namespace asio = boost::asio;

constexpr std::size_t kHookUrlBytesMax = 2048;
constexpr std::size_t kAnswerBytesMax = 64 * 1024;
constexpr std::chrono::milliseconds kGivenUpEvery{100};

absl::Status BadUrl(std::string message) {
  return rpc::MakeError(absl::StatusCode::kInvalidArgument, reason::v1::REASON_MALFORMED_REQUEST,
                        std::move(message), "url");
}

struct V4Range {
  std::uint32_t first;
  int bits;
};

// RFC 6890 and its successors: what no packet of the public Internet comes from.
constexpr std::array kPrivateV4 = {
    V4Range{0x00000000, 8},  V4Range{0x0a000000, 8},  V4Range{0x64400000, 10},
    V4Range{0x7f000000, 8},  V4Range{0xa9fe0000, 16}, V4Range{0xac100000, 12},
    V4Range{0xc0000000, 24}, V4Range{0xc0000200, 24}, V4Range{0xc0586300, 24},
    V4Range{0xc0a80000, 16}, V4Range{0xc6120000, 15}, V4Range{0xc6336400, 24},
    V4Range{0xcb007100, 24}, V4Range{0xe0000000, 3}};

bool IsPrivateV4(std::uint32_t address) {
  return std::ranges::any_of(kPrivateV4, [address](const V4Range& range) {
    return (address >> (32 - range.bits)) == (range.first >> (32 - range.bits));
  });
}

// Only 2000::/3 is handed out; in it, 6to4, Teredo and documentation are not for this.
bool IsPrivateV6(const asio::ip::address_v6::bytes_type& octets) {
  if ((octets[0] & 0xe0) != 0x20) return true;
  if (octets[0] == 0x20 && octets[1] == 0x02) return true;
  if (octets[0] == 0x20 && octets[1] == 0x01) {
    return (octets[2] & 0xfe) == 0 || (octets[2] == 0x0d && octets[3] == 0xb8);
  }
  return octets[0] == 0x3f && octets[1] == 0xff;
}

bool IsPrivate(const asio::ip::address& address) {
  if (address.is_v4()) return IsPrivateV4(address.to_v4().to_uint());
  const asio::ip::address_v6 v6 = address.to_v6();
  if (!v6.is_v4_mapped()) return IsPrivateV6(v6.to_bytes());
  return IsPrivateV4(asio::ip::make_address_v4(asio::ip::v4_mapped, v6).to_uint());
}

std::string BareHost(const std::string& host) {
  return host.starts_with('[') && host.ends_with(']') ? host.substr(1, host.size() - 2) : host;
}

// The first address that may be connected to. It is the one that is connected to: a name that
// changes between check and use gains nothing.
Task<absl::StatusOr<asio::ip::tcp::endpoint>> Resolve(http::Url url, bool private_addresses) {
  asio::ip::tcp::resolver resolver(co_await asio::this_coro::executor);
  const auto [error, found] =
      co_await resolver.async_resolve(BareHost(url.host), std::to_string(url.port), kAsTuple);
  if (error || found.empty()) {
    co_return absl::UnavailableError(fmt::format("{}: {}", url.host, error.message()));
  }
  for (const auto& entry : found) {
    if (private_addresses || !IsPrivate(entry.endpoint().address())) co_return entry.endpoint();
  }
  co_return absl::FailedPreconditionError(fmt::format(
      "{} has no public address; --hook-private-addresses on lets hooks go there", url.host));
}

Task<absl::Status> PostOnce(http::Url url, const HookMessage& message, HookDeadlines deadlines,
                            const pki::TlsContext& tls, bool private_addresses) {
  const auto endpoint = co_await Resolve(url, private_addresses);
  if (!endpoint.ok()) co_return endpoint.status();
  http::ClientOptions options;
  options.address = http::AddressOf(*endpoint);
  options.host = BareHost(url.host);
  options.tls = &tls;
  options.parser.body_bytes_max = kAnswerBytesMax;
  options.connect = deadlines.connect;
  options.exchange = deadlines.exchange;
  http::ClientRequest request;
  request.method = "POST";
  request.target = url.target;
  request.fields.Set("host", url.Origin().substr(std::string_view("https://").size()));
  request.fields.Set("content-type", "application/json");
  request.fields.Set("user-agent", "dt-policy");
  request.fields.Set("dt-hook-delivery", message.delivery);
  request.fields.Set("dt-hook-timestamp", message.timestamp);
  request.fields.Set("dt-hook-signature", message.signature);
  request.body = message.body;
  const auto answer = co_await http::Fetch(std::move(options), std::move(request));
  if (!answer.ok()) co_return answer.status();
  if (answer->status >= 200 && answer->status < 300) co_return absl::OkStatus();
  co_return absl::UnavailableError(fmt::format("{} answered {}", url.host, answer->status));
}

}  // namespace

bool IsPrivateAddress(const std::string& address) {
  boost::system::error_code error;
  const auto parsed = asio::ip::make_address(address, error);
  return error || IsPrivate(parsed);
}

absl::Status CheckHookUrl(const std::string& url, bool private_addresses) {
  if (url.size() > kHookUrlBytesMax) {
    return BadUrl(fmt::format("a hook's URL has at most {} bytes", kHookUrlBytesMax));
  }
  const auto parsed = http::ParseUrl(url);
  if (!parsed.ok()) return BadUrl("a hook's URL: " + std::string(parsed.status().message()));
  if (!parsed->https) return BadUrl("a hook's URL begins with https://");
  boost::system::error_code error;
  asio::ip::make_address(BareHost(parsed->host), error);
  const bool numeric = !error;
  const bool is_private =
      parsed->IsLoopback() || (numeric && IsPrivateAddress(BareHost(parsed->host)));
  if (is_private && !private_addresses) {
    return BadUrl(
        fmt::format("{} is no public address; dt-policy's --hook-private-addresses on lets"
                    " hooks go there",
                    parsed->host));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<HookPoster>> HookPoster::Create(
    std::vector<pki::Certificate> trusted, bool private_addresses, const Clock& clock) {
  std::optional<pki::TlsContext> tls;
  if (!trusted.empty()) {
    pki::TlsClientConfig config;
    config.trusted = std::move(trusted);
    config.clock = &clock;
    DT_ASSIGN_OR_RETURN(tls, pki::TlsContext::ForClient(std::move(config)));
  }
  return std::unique_ptr<HookPoster>(new HookPoster(std::move(tls), private_addresses));
}

absl::Status HookPoster::Post(const std::string& url, const HookMessage& message,
                              HookDeadlines deadlines,
                              const std::function<bool()>& given_up) const {
  const auto parsed = http::ParseUrl(url);
  if (!parsed.ok()) return parsed.status();
  if (!tls_) {
    return absl::FailedPreconditionError(
        "no CA of receivers is known; give dt-policy --hook-ca, or install the system's CAs");
  }
  std::optional<absl::Status> result;
  asio::io_context io(1);
  asio::co_spawn(io, PostOnce(*parsed, message, deadlines, *tls_, private_addresses_),
                 [&result](const std::exception_ptr& thrown, absl::Status status) {
                   result =
                       thrown ? absl::InternalError("a hook's request threw") : std::move(status);
                 });
  const auto end = std::chrono::steady_clock::now() + deadlines.connect * 2 + deadlines.exchange;
  while (!result && !given_up() && std::chrono::steady_clock::now() < end) {
    io.run_one_for(kGivenUpEvery);
    if (io.stopped()) break;
  }
  return result ? *result : absl::DeadlineExceededError("the receiver did not answer in time");
}

}  // namespace devicetrust::policy
