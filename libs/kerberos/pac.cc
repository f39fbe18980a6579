#include "libs/kerberos/pac.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace devicetrust::kerberos {
namespace {

constexpr std::size_t kNdrHeaderBytes = 16;  // MS-RPCE 2.2.6: common and private header.
constexpr std::size_t kSidPartsMax = 15;
constexpr std::uint32_t kNameUnitsMax = 1024;  // UTF-16 units of one name.
constexpr std::uint64_t kNever = 0x7fffffffffffffff;
constexpr std::uint32_t kGroupAttributes = 7;  // Mandatory, by default, enabled.
constexpr std::uint32_t kExtraSidsFlag = 0x20;

// Reads little-endian NDR. The first fault sticks: everything after it reads as zero and
// nothing is allocated, so that callers check once at the end.
class NdrReader {
 public:
  explicit NdrReader(std::span<const std::uint8_t> data) : data_(data) {}

  bool ok() const { return ok_; }
  void Fail() { ok_ = false; }
  std::size_t left() const { return data_.size() - offset_; }

  std::uint64_t Number(std::size_t bytes) {
    Skip((bytes - offset_ % bytes) % bytes);  // Each number is aligned to its size.
    if (!Has(bytes)) return 0;
    std::uint64_t value = 0;
    for (std::size_t i = bytes; i-- > 0;) value = value << 8U | data_[offset_ + i];
    offset_ += bytes;
    return value;
  }
  std::uint8_t U8() { return static_cast<std::uint8_t>(Number(1)); }
  std::uint16_t U16() { return static_cast<std::uint16_t>(Number(2)); }
  std::uint32_t U32() { return static_cast<std::uint32_t>(Number(4)); }
  std::uint64_t Time() {  // Two 32-bit halves, low first.
    const std::uint64_t low = U32();
    return low | static_cast<std::uint64_t>(U32()) << 32U;
  }
  void Skip(std::size_t bytes) {
    if (Has(bytes)) offset_ += bytes;
  }
  // A count of elements of `bytes_each` that must still follow.
  std::size_t Count(std::uint32_t count, std::size_t bytes_each, std::size_t count_max) {
    if (count > count_max || count > left() / bytes_each) Fail();
    return ok_ ? count : 0;
  }

 private:
  bool Has(std::size_t bytes) {
    if (bytes > left()) ok_ = false;
    return ok_;
  }

  std::span<const std::uint8_t> data_;
  std::size_t offset_ = 0;
  bool ok_ = true;
};

void AppendUtf8(std::uint32_t code_point, std::string& out) {
  const auto tail = [&](unsigned shift) {
    out += static_cast<char>(0x80U | ((code_point >> shift) & 0x3fU));
  };
  if (code_point < 0x80) {
    out += static_cast<char>(code_point);
  } else if (code_point < 0x800) {
    out += static_cast<char>(0xc0U | code_point >> 6U);
    tail(0);
  } else if (code_point < 0x10000) {
    out += static_cast<char>(0xe0U | code_point >> 12U);
    tail(6);
    tail(0);
  } else {
    out += static_cast<char>(0xf0U | code_point >> 18U);
    tail(12);
    tail(6);
    tail(0);
  }
}

// RPC_UNICODE_STRING: the part inside the structure; its characters follow later.
struct StringHead {
  std::uint32_t units = 0;
  bool present = false;
};

StringHead ReadStringHead(NdrReader& in) {
  StringHead head;
  head.units = in.U16() / 2U;
  in.U16();  // Maximum length.
  head.present = in.U32() != 0;
  return head;
}

std::string ReadString(NdrReader& in, const StringHead& head) {
  std::string text;
  if (!head.present) return text;
  const std::uint32_t max = in.U32();
  const std::uint32_t first = in.U32();
  const std::uint32_t count = in.U32();
  if (first != 0 || count > max || count != head.units) in.Fail();
  const std::size_t units = in.Count(count, 2, kNameUnitsMax);
  for (std::size_t i = 0; i < units; ++i) {
    std::uint32_t code_point = in.U16();
    if (code_point >= 0xd800 && code_point < 0xe000) {  // One of a surrogate pair.
      const std::uint32_t low = ++i < units ? in.U16() : 0U;
      if (code_point >= 0xdc00 || low < 0xdc00 || low >= 0xe000) in.Fail();
      code_point = 0x10000U + ((code_point - 0xd800U) << 10U) + (low - 0xdc00U);
    }
    if (code_point == 0 || !in.ok()) {
      in.Fail();
      break;
    }
    AppendUtf8(code_point, text);
  }
  return text;
}

Sid ReadSid(NdrReader& in) {
  Sid sid;
  const std::uint32_t max = in.U32();
  const std::uint8_t revision = in.U8();
  const std::uint8_t count = in.U8();
  if (revision != 1 || count != max) in.Fail();
  sid.authority = 0;
  for (int i = 0; i < 6; ++i) sid.authority = sid.authority << 8U | in.U8();
  const std::size_t parts = in.Count(count, 4, kSidPartsMax);
  for (std::size_t i = 0; i < parts; ++i) sid.parts.push_back(in.U32());
  return sid;
}

// GROUP_MEMBERSHIP array: relative id and attributes.
std::vector<std::uint32_t> ReadRids(NdrReader& in, std::uint32_t expected) {
  std::vector<std::uint32_t> rids;
  if (in.U32() != expected) in.Fail();
  const std::size_t count = in.Count(expected, 8, kLogonGroupsMax);
  for (std::size_t i = 0; i < count; ++i) {
    rids.push_back(in.U32());
    in.U32();
  }
  return rids;
}

std::vector<Sid> ReadSids(NdrReader& in, std::uint32_t expected) {
  std::vector<Sid> sids;
  if (in.U32() != expected) in.Fail();
  const std::size_t count = in.Count(expected, 8, kLogonGroupsMax);
  std::size_t present = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (in.U32() != 0) ++present;
    in.U32();
  }
  for (std::size_t i = 0; i < present && in.ok(); ++i) sids.push_back(ReadSid(in));
  return sids;
}

class NdrWriter {
 public:
  void Number(std::uint64_t value, std::size_t bytes) {
    while (out_.size() % bytes != 0) out_.push_back(0);
    for (std::size_t i = 0; i < bytes; ++i) {
      out_.push_back(static_cast<std::uint8_t>((value >> (8U * i)) & 0xffU));
    }
  }
  void U8(std::uint8_t value) { Number(value, 1); }
  void U16(std::uint64_t value) { Number(value & 0xffffU, 2); }
  void U32(std::uint64_t value) { Number(value & 0xffffffffU, 4); }
  void Time(std::uint64_t value) {
    U32(value);
    U32(value >> 32U);
  }
  void Pointer(bool present) {
    U32(present ? next_referent_ : 0U);
    if (present) next_referent_ += 4;
  }
  void Zeros(int words) {
    for (int i = 0; i < words; ++i) U32(0);
  }
  Bytes Finish() {
    while (out_.size() % 8 != 0) out_.push_back(0);
    const std::size_t body = out_.size() - kNdrHeaderBytes;
    for (unsigned i = 0; i < 4; ++i) {
      out_[8 + i] = static_cast<std::uint8_t>((body >> (8U * i)) & 0xffU);
    }
    return std::move(out_);
  }
  void Header() {
    constexpr std::array<std::uint8_t, kNdrHeaderBytes> kHeader = {1,    0x10, 8,    0,
                                                                   0xcc, 0xcc, 0xcc, 0xcc};
    out_.assign(kHeader.begin(), kHeader.end());
    Pointer(true);
  }

 private:
  Bytes out_;
  std::uint32_t next_referent_ = 0x20000;
};

// Text that is no UTF-8 becomes U+FFFD, unit by unit.
std::u16string ToUtf16(std::string_view text) {
  std::u16string out;
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t length = lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    std::uint32_t code_point = length == 1 ? lead : lead & (0xffU >> (length + 1));
    bool good = lead < 0x80 || (lead >= 0xc2 && lead < 0xf5);
    for (std::size_t k = 1; good && k < length; ++k) {
      const unsigned next = i + k < text.size() ? static_cast<unsigned char>(text[i + k]) : 0U;
      good = (next & 0xc0U) == 0x80U;
      code_point = code_point << 6U | (next & 0x3fU);
    }
    if (!good) code_point = 0xfffd;
    i += good ? length : 1;
    if (code_point >= 0x10000) {
      out += static_cast<char16_t>(0xd800U + ((code_point - 0x10000U) >> 10U));
      out += static_cast<char16_t>(0xdc00U + ((code_point - 0x10000U) & 0x3ffU));
    } else {
      out += static_cast<char16_t>(code_point);
    }
  }
  return out;
}

void WriteStringHead(const std::u16string& text, NdrWriter& out) {
  out.U16(text.size() * 2);
  out.U16(text.size() * 2);
  out.Pointer(true);
}

void WriteString(const std::u16string& text, NdrWriter& out) {
  out.U32(text.size());
  out.U32(0);
  out.U32(text.size());
  for (const char16_t unit : text) out.U16(unit);
}

void WriteSid(const Sid& sid, NdrWriter& out) {
  out.U32(sid.parts.size());
  out.U8(1);
  out.U8(static_cast<std::uint8_t>(sid.parts.size()));
  for (int shift = 40; shift >= 0; shift -= 8) {
    out.U8(static_cast<std::uint8_t>((sid.authority >> static_cast<unsigned>(shift)) & 0xffU));
  }
  for (const std::uint32_t part : sid.parts) out.U32(part);
}

void WriteRids(const std::vector<std::uint32_t>& rids, NdrWriter& out) {
  out.U32(rids.size());
  for (const std::uint32_t rid : rids) {
    out.U32(rid);
    out.U32(kGroupAttributes);
  }
}

}  // namespace

std::string Sid::ToString() const {
  std::string text = "S-1-" + std::to_string(authority);
  for (const std::uint32_t part : parts) text += "-" + std::to_string(part);
  return text;
}

Sid Sid::Child(std::uint32_t rid) const {
  Sid child = *this;
  child.parts.push_back(rid);
  return child;
}

absl::StatusOr<LogonInfo> DecodeLogonInfo(std::span<const std::uint8_t> data) {
  const absl::Status malformed = absl::InvalidArgumentError("PAC logon information is malformed");
  if (data.size() < kNdrHeaderBytes || data.size() > kLogonInfoBytesMax) return malformed;
  if (data[0] != 1 || data[1] != 0x10) return malformed;  // Version 1, little-endian.

  LogonInfo info;
  NdrReader in(data);
  in.Skip(kNdrHeaderBytes);
  if (in.U32() == 0) return malformed;  // The structure itself, by pointer.
  info.logon_time = in.Time();
  in.Time();  // Logoff.
  in.Time();  // Kick off.
  info.password_last_set = in.Time();
  in.Time();                        // Password can change.
  in.Time();                        // Password must change.
  std::array<StringHead, 8> heads;  // Name, full name, script, profile, home, drive, then below.
  for (std::size_t i = 0; i < 6; ++i) heads[i] = ReadStringHead(in);
  in.U16();  // Logon count.
  in.U16();  // Bad password count.
  info.rid = in.U32();
  info.primary_group_rid = in.U32();
  const std::uint32_t group_count = in.U32();
  const bool has_groups = in.U32() != 0;
  in.U32();                       // User flags.
  in.Skip(16);                    // User session key: bytes, already aligned.
  heads[6] = ReadStringHead(in);  // Logon server.
  heads[7] = ReadStringHead(in);  // Logon domain.
  const bool has_domain_sid = in.U32() != 0;
  in.U32();
  in.U32();
  info.user_account_control = in.U32();
  in.U32();  // Sub-authentication status.
  in.Time();
  in.Time();
  in.U32();  // Failed logons.
  in.U32();
  const std::uint32_t sid_count = in.U32();
  const bool has_sids = in.U32() != 0;
  const bool has_resource_sid = in.U32() != 0;
  const std::uint32_t resource_count = in.U32();
  const bool has_resource_groups = in.U32() != 0;

  // What the pointers above stand for, in their order.
  info.name = ReadString(in, heads[0]);
  info.full_name = ReadString(in, heads[1]);
  for (std::size_t i = 2; i < 6; ++i) ReadString(in, heads[i]);
  if (has_groups) info.group_rids = ReadRids(in, group_count);
  info.server = ReadString(in, heads[6]);
  info.domain = ReadString(in, heads[7]);
  if (has_domain_sid) info.domain_sid = ReadSid(in);
  if (has_sids) info.extra_sids = ReadSids(in, sid_count);
  if (has_resource_sid) info.resource_domain_sid = ReadSid(in);
  if (has_resource_groups) info.resource_group_rids = ReadRids(in, resource_count);
  if (!in.ok() || !has_domain_sid || in.left() >= 8) return malformed;  // Padding at most.
  return info;
}

Bytes EncodeLogonInfo(const LogonInfo& info) {
  NdrWriter out;
  const std::array<std::u16string, 8> texts = {
      ToUtf16(info.name),   ToUtf16(info.full_name), {}, {}, {}, {},
      ToUtf16(info.server), ToUtf16(info.domain)};
  const bool has_sids = !info.extra_sids.empty();
  const bool has_resources = !info.resource_group_rids.empty();
  out.Header();
  out.Time(info.logon_time);
  out.Time(kNever);
  out.Time(kNever);
  out.Time(info.password_last_set);
  out.Time(info.password_last_set);
  out.Time(kNever);
  for (std::size_t i = 0; i < 6; ++i) WriteStringHead(texts[i], out);
  out.U16(0);
  out.U16(0);
  out.U32(info.rid);
  out.U32(info.primary_group_rid);
  out.U32(info.group_rids.size());
  out.Pointer(true);
  out.U32(has_sids ? kExtraSidsFlag : 0U);
  out.Zeros(4);  // User session key.
  WriteStringHead(texts[6], out);
  WriteStringHead(texts[7], out);
  out.Pointer(true);  // Domain SID.
  out.Zeros(2);
  out.U32(info.user_account_control);
  out.Zeros(7);
  out.U32(info.extra_sids.size());
  out.Pointer(has_sids);
  out.Pointer(has_resources);
  out.U32(info.resource_group_rids.size());
  out.Pointer(has_resources);

  for (std::size_t i = 0; i < 6; ++i) WriteString(texts[i], out);
  WriteRids(info.group_rids, out);
  WriteString(texts[6], out);
  WriteString(texts[7], out);
  WriteSid(info.domain_sid, out);
  if (has_sids) {
    out.U32(info.extra_sids.size());
    for (std::size_t i = 0; i < info.extra_sids.size(); ++i) {
      out.Pointer(true);
      out.U32(kGroupAttributes);
    }
    for (const Sid& sid : info.extra_sids) WriteSid(sid, out);
  }
  if (has_resources) {
    WriteSid(info.resource_domain_sid, out);
    WriteRids(info.resource_group_rids, out);
  }
  return out.Finish();
}

}  // namespace devicetrust::kerberos
