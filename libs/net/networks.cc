#include "libs/net/networks.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "libs/net/endpoint.h"

namespace devicetrust::net {
namespace {

namespace asio = boost::asio;

constexpr std::size_t kBits = 128;
constexpr std::size_t kBitsBeforeV4 = 96;

std::array<std::uint8_t, 16> OctetsOf(const asio::ip::address& given) {
  const asio::ip::address address = Unmapped(given);
  if (address.is_v6()) return address.to_v6().to_bytes();
  return asio::ip::make_address_v6(asio::ip::v4_mapped, address.to_v4()).to_bytes();
}

// Whether the first `bits` are the same.
bool Begin(const std::array<std::uint8_t, 16>& a, const std::array<std::uint8_t, 16>& b,
           std::size_t bits) {
  const std::size_t whole = bits / 8;
  if (!std::equal(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(whole), b.begin())) {
    return false;
  }
  const std::size_t rest = bits % 8;
  return rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0;
}

std::optional<std::size_t> Number(std::string_view text, std::size_t most) {
  std::size_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool good = error == std::errc() && end == text.data() + text.size() && number <= most;
  return good ? std::optional(number) : std::nullopt;
}

}  // namespace

absl::StatusOr<Networks> Networks::Parse(const std::vector<std::string>& texts,
                                         std::string_view flag) {
  Networks networks;
  for (const std::string& text : texts) {
    const std::size_t slash = text.find('/');
    boost::system::error_code error;
    const auto address = asio::ip::make_address(text.substr(0, slash), error);
    std::optional<std::size_t> bits;
    if (!error) {
      const std::size_t before = address.is_v4() ? kBitsBeforeV4 : 0;
      bits = slash == std::string::npos
                 ? std::optional(kBits - before)
                 : Number(std::string_view(text).substr(slash + 1), kBits - before);
      if (bits) *bits += before;
    }
    if (!bits) {
      return absl::InvalidArgumentError(fmt::format(
          "{}: \"{}\" is no address or network, such as 192.0.2.7 or 10.0.0.0/8", flag, text));
    }
    const Network network{OctetsOf(address), *bits};
    std::array<std::uint8_t, 16> cut = network.octets;
    for (std::size_t bit = *bits; bit < kBits; ++bit) {
      cut[bit / 8] = static_cast<std::uint8_t>(cut[bit / 8] & ~(0x80U >> (bit % 8)));
    }
    if (cut != network.octets) {
      return absl::InvalidArgumentError(fmt::format(
          "{}: \"{}\" has bits behind its prefix; say the network's first address", flag, text));
    }
    networks.networks_.push_back(network);
  }
  return networks;
}

bool Networks::Contain(const asio::ip::address& address) const {
  const std::array<std::uint8_t, 16> octets = OctetsOf(address);
  return std::any_of(networks_.begin(), networks_.end(), [&octets](const Network& network) {
    return Begin(network.octets, octets, network.bits);
  });
}

}  // namespace devicetrust::net
