// Images that administrators give and everybody's browser reads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "libs/base/bytes.h"
#include "libs/base/status.h"

namespace devicetrust::policy {

inline constexpr std::size_t kLogoBytesMax = 64 * 1024;
inline constexpr std::uint32_t kLogoPixelsMax = 512;  // Of each side.

// A PNG image (W3C PNG, third edition) with what shows pixels alone: size, palette, transparency,
// data. Text, profiles, animations, unknown chunks and what follows the image are left out, so that
// nothing else can hide in it. Pixels are not decoded.
// kInvalidArgument: it is none, too large, or damaged; the message says which.
absl::StatusOr<Bytes> CleanPng(std::span<const std::uint8_t> image);

}  // namespace devicetrust::policy
