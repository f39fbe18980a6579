// What kind of client signs in, for the rules of apps that tell them apart (POL-2). Uses libs
// alone.
#pragma once

#include <string_view>

#include "devicetrust/org/v1/client.pb.h"

namespace devicetrust::gateway {

// By the user agent of a client at a browser's address:
//   modern auth           an app that shows our pages in a window of its own: Office, Outlook, the
//                         account brokers of Windows, macOS, iOS and Android
//   ActiveSync or legacy  a mail client that has no business there, but says what it is
//   web browser           what calls itself "Mozilla/…", as every browser does
//   unspecified           anything else, none too. No rule can name it, so whatever is allowed to
//                         browsers is not allowed to it.
// A user agent is a claim. It can make a client look like another kind, never like a trusted
// device.
org::v1::ClientKind ClientKindOf(std::string_view user_agent);

}  // namespace devicetrust::gateway
