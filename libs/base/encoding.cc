#include "libs/base/encoding.h"

#include <fmt/format.h>

#include <array>

#include "libs/base/ascii.h"
#include "libs/base/printable.h"

namespace devicetrust {
namespace {

constexpr std::string_view kBase64 =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kBase64Url =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::string_view kBase32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
constexpr std::string_view kHex = "0123456789abcdef";

using Table = std::array<std::int8_t, 256>;

constexpr Table TableOf(std::string_view alphabet) {
  Table table{};
  table.fill(-1);
  for (std::size_t i = 0; i < alphabet.size(); ++i) {
    table[static_cast<std::uint8_t>(alphabet[i])] = static_cast<std::int8_t>(i);
  }
  return table;
}

constexpr Table WithLowerCase(Table table) {
  for (char upper = 'A'; upper <= 'Z'; ++upper) {
    table[static_cast<std::uint8_t>(upper - 'A' + 'a')] = table[static_cast<std::uint8_t>(upper)];
  }
  return table;
}

constexpr Table kBase64Table = TableOf(kBase64);
constexpr Table kBase64UrlTable = TableOf(kBase64Url);
constexpr Table kBase32Table = WithLowerCase(TableOf(kBase32));

template <unsigned Bits>
std::string EncodeBits(std::span<const std::uint8_t> data, std::string_view alphabet) {
  constexpr std::uint32_t kMask = (1U << Bits) - 1;
  std::string text((data.size() * 8 + Bits - 1) / Bits, '\0');
  char* out = text.data();
  std::uint32_t pending = 0;
  unsigned count = 0;  // Bits in `pending` that are not yet written.
  if constexpr (Bits == 6) {  // Whole groups at once.
    for (; data.size() >= 3; data = data.subspan(3)) {
      const std::uint32_t group = (std::uint32_t{data[0]} << 16) | (data[1] << 8) | data[2];
      for (int shift = 18; shift >= 0; shift -= 6) *out++ = alphabet[(group >> shift) & kMask];
    }
  }
  for (const std::uint8_t byte : data) {
    pending = (pending << 8) | byte;
    for (count += 8; count >= Bits; count -= Bits) {
      *out++ = alphabet[(pending >> (count - Bits)) & kMask];
    }
  }
  if (count > 0) *out = alphabet[(pending << (Bits - count)) & kMask];
  return text;
}

// `text` carries no padding. Spare bits must be zero and fewer than one character's, so
// that each value has one text.
template <unsigned Bits>
absl::StatusOr<Bytes> DecodeBits(std::string_view text, const Table& table, const char* what) {
  Bytes data(text.size() * Bits / 8);
  std::uint8_t* out = data.data();
  std::uint32_t pending = 0;
  unsigned count = 0;
  if constexpr (Bits == 6) {  // Whole groups at once, up to what is of no group.
    while (text.size() >= 4) {
      int group = 0;
      for (int i = 0; i < 4; ++i) group = (group << 6) | table[static_cast<std::uint8_t>(text[i])];
      if (group < 0) break;
      for (int shift = 16; shift >= 0; shift -= 8) {
        *out++ = static_cast<std::uint8_t>(group >> shift);
      }
      text.remove_prefix(4);
    }
  }
  for (const char character : text) {
    const int value = table[static_cast<std::uint8_t>(character)];
    if (value < 0) return absl::InvalidArgumentError(fmt::format("a character is not {}", what));
    pending = (pending << Bits) | static_cast<std::uint32_t>(value);
    count += Bits;
    if (count >= 8) {
      count -= 8;
      *out++ = static_cast<std::uint8_t>(pending >> count);
    }
    pending &= (1U << count) - 1;
  }
  if (count >= Bits) {
    return absl::InvalidArgumentError(fmt::format("{} of impossible length", what));
  }
  if (pending != 0) return absl::InvalidArgumentError(fmt::format("{} is not canonical", what));
  return data;
}

void AppendJsonCharacter(std::string& out, char character) {
  switch (character) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      break;
  }
  if (IsControl(character)) {
    out += fmt::format("\\u{:04x}", static_cast<unsigned>(character));
  } else {
    out.push_back(character);
  }
}

}  // namespace

std::string HexEncode(std::span<const std::uint8_t> data) {
  std::string text(data.size() * 2, '\0');
  for (std::size_t i = 0; i < data.size(); ++i) {
    text[2 * i] = kHex[data[i] >> 4];
    text[2 * i + 1] = kHex[data[i] & 0x0F];
  }
  return text;
}

absl::StatusOr<Bytes> HexDecode(std::string_view text) {
  if (text.size() % 2 != 0) return absl::InvalidArgumentError("hex of odd length");
  Bytes data;
  data.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = HexValue(text[i]);
    const int low = HexValue(text[i + 1]);
    if (high < 0 || low < 0) return absl::InvalidArgumentError("a character is not hex");
    data.push_back(static_cast<std::uint8_t>(high * 16 + low));
  }
  return data;
}

std::string Base64Encode(std::span<const std::uint8_t> data) {
  std::string text = EncodeBits<6>(data, kBase64);
  while (text.size() % 4 != 0) text.push_back('=');
  return text;
}

absl::StatusOr<Bytes> Base64Decode(std::string_view text) {
  if (text.size() % 4 != 0) return absl::InvalidArgumentError("base64 of impossible length");
  for (int i = 0; i < 2 && text.ends_with('='); ++i) text.remove_suffix(1);
  return DecodeBits<6>(text, kBase64Table, "base64");
}

std::string Base64UrlEncode(std::span<const std::uint8_t> data) {
  return EncodeBits<6>(data, kBase64Url);
}

absl::StatusOr<Bytes> Base64UrlDecode(std::string_view text) {
  return DecodeBits<6>(text, kBase64UrlTable, "base64url");
}

std::string Base32Encode(std::span<const std::uint8_t> data) {
  return EncodeBits<5>(data, kBase32);
}

absl::StatusOr<Bytes> Base32Decode(std::string_view text) {
  while (text.ends_with('=')) text.remove_suffix(1);
  return DecodeBits<5>(text, kBase32Table, "base32");
}

std::size_t Utf8Length(std::string_view text) {
  const auto at = [&](std::size_t i) {
    return i < text.size() ? static_cast<std::uint8_t>(text[i]) : std::uint8_t{0};
  };
  const auto tail = [&](std::size_t i) { return (at(i) & 0xC0) == 0x80; };
  const std::uint8_t first = at(0);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return tail(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    if (first == 0xE0 && at(1) < 0xA0) return 0;
    if (first == 0xED && at(1) > 0x9F) return 0;
    return tail(1) && tail(2) ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    if (first == 0xF0 && at(1) < 0x90) return 0;
    if (first == 0xF4 && at(1) > 0x8F) return 0;
    return tail(1) && tail(2) && tail(3) ? 4 : 0;
  }
  return 0;
}

std::string CutText(std::string_view text, std::size_t bytes_max) {
  if (text.size() > bytes_max) {
    // Back to the first byte of the character that does not fit.
    while (bytes_max > 0 && (static_cast<unsigned char>(text[bytes_max]) & 0xc0) == 0x80) {
      --bytes_max;
    }
    text = text.substr(0, bytes_max);
  }
  return std::string(text);
}

bool IsUtf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = Utf8Length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string JsonQuote(std::string_view text) {
  std::string out = "\"";
  out.reserve(text.size() + 2);
  while (!text.empty()) {
    const std::size_t length = Utf8Length(text);
    if (length == 0) {
      out += "\xEF\xBF\xBD";
    } else if (length == 1) {
      AppendJsonCharacter(out, text.front());
    } else {
      out += Printable(text.substr(0, length));
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  out.push_back('"');
  return out;
}

}  // namespace devicetrust
