// The device task: it alone may use the computer's account, and gets device tokens for the user
// task. One request and one answer a connection, a line of JSON each, over a socket that systemd
// listens on:
//
//   {"iwa":"iwa-1","key":"THUMBPRINT","user":"ada@CORP.TEST"}
//   {"token":"…"}   or   {"code":7,"reason":"COMPUTER_DISABLED","message":"…","remedy":"…"}
//
// A user gets nothing from it but a token that is good for one key, at the IWAs that the org names,
// and by the name of the account that asks alone.
#pragma once

#include <sys/types.h>

#include <string>

#include "agent/computer.h"
#include "agent/linux/device_task_lines.h"
#include "agent/linux/paths.h"
#include "agent/services.h"
#include "libs/base/status.h"

namespace devicetrust::agent {

inline constexpr std::size_t kDeviceTaskLineMax = 16 * 1024;

// The user task's side. kUnavailable: the device task does not listen or answer; else what it says.
absl::StatusOr<std::string> AskDeviceTask(const std::string& socket_path,
                                          const DeviceTokenRequest& request);

// The device task's side: answers the one request of the connection `fd`, for the logged-on user at
// the other end. The first user that gets a token is the computer's from then on
// (Paths::enrolled_user()); another one is refused with SHARED_TERMINAL.
absl::Status ServeDeviceToken(int fd, const Paths& paths, Computer& computer, Services& services);

// kPermissionDenied with NOT_A_USER: `user` ("ada@CORP.TEST") is none that the account `uid` may go
// by: it is of the system's, or is called otherwise. Its name is the whole one, the one before the
// @ for users of `domain`, or what krb5.conf makes of it (auth_to_local).
absl::Status CheckUserIs(const std::string& user, const std::string& domain, uid_t uid);

// Notes whose computer it is, unless it is somebody's already. SHARED_TERMINAL: it is another's.
// kUnavailable: another one is being noted.
absl::Status NoteEnrolledUser(const Paths& paths, const std::string& user);

}  // namespace devicetrust::agent
