// What a platform is concluded from (POL-2).
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "policy-engine/rules/conditions.h"

namespace devicetrust::policy {

// What is read of a user agent; the rest is the sender's decoration.
inline constexpr std::size_t kUserAgentBytesRead = 512;

// The platform that a User-Agent header claims. It is a claim: anybody can send any text,
// which is why a verified device certificate outranks it (POL-2).
//
// Total: any bytes, also none, give an answer. Text that names no platform, or several that
// exclude each other (Windows and macOS), is kUnknown. Linux and ChromeOS are other desktop;
// Windows Phone, BlackBerry, Tizen, webOS and KaiOS are other mobile. An iPad that asks for
// desktop pages says "Macintosh": its Chrome, Edge and Firefox (CriOS, EdgiOS, FxiOS), and web
// views
// ("Mobile/15E148"), are known as iOS; Safari there sends what a Mac does, to the letter. Cost: one
// pass, no allocation.
Platform PlatformFromUserAgent(std::string_view user_agent);

// What the directory's operatingSystem attribute means ("Windows 10 Enterprise"); nullopt for an
// empty one or a system that we don't know.
std::optional<Platform> PlatformFromDirectory(std::string_view operating_system);

}  // namespace devicetrust::policy
