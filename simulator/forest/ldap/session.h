// One client's conversation: LDAP messages in, LDAP messages out. No sockets here.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "libs/base/clock.h"
#include "simulator/forest/ldap/ber.h"
#include "simulator/forest/ldap/entry.h"
#include "simulator/forest/ldap/filter.h"

namespace devicetrust::simulator {

inline constexpr std::size_t kLdapUnboundBytesMax = 16 * 1024;
inline constexpr std::size_t kLdapBoundBytesMax = 1024 * 1024;
inline constexpr int kLdapEntriesMax = 1000;  // Of one search, as Active Directory's default.

struct LdapBehaviour {
  // RFC 4513, 5.1.2: a simple bind with a name and an empty password. Refused (53), as
  // the RFC wants it, or answered "success" as Active Directory does: clients must not
  // fall for it.
  bool accept_unauthenticated_bind = false;
};

// Answers as a domain controller of Active Directory would, over TLS: LDAPv3 with simple
// binds (UPN, DOMAIN\name or DN), search, compare, Who Am I? (RFC 4532) and abandon. Read only.
// Single-threaded; requests are answered in order. What is wrong within a request is answered for
// that request; only where one ends and what it asks must be plain for the connection to go on.
class LdapSession {
 public:
  LdapSession(const LdapEntries& entries, const Clock& clock, LdapBehaviour behaviour)
      : entries_(entries), clock_(clock), behaviour_(behaviour) {}

  std::size_t message_bytes_max() const {
    return identity_.empty() ? kLdapUnboundBytesMax : kLdapBoundBytesMax;
  }

  // Handles the contents of one LDAPMessage (what ReadBerFrame() framed; one more
  // readable byte behind it) and appends the answers to `out`. False: send `out`, then
  // close. A message that is not LDAP is answered with a Notice of Disconnection.
  bool Handle(std::string_view content, std::string& out);

  // Appends that notice: for a frame that is malformed or too long.
  static void AppendNoticeOfDisconnection(std::string_view why, std::string& out);

 private:
  struct SearchRequest;

  absl::StatusOr<bool> Dispatch(std::string_view content, std::string& out);
  // Errors: kInvalidArgument, nothing in `out`: the request is malformed.
  absl::Status Answer(int id, const BerItem& request, std::string& out);
  absl::Status Bind(int id, std::string_view body, std::string& out);
  // The "data" of the refusal, in AD's numbers; empty: the password is right.
  std::string_view CheckPassword(std::string_view name, std::string_view password);
  absl::Status Search(int id, std::string_view body, std::string& out);
  absl::Status Extended(int id, std::string_view body, std::string& out);
  absl::Status Compare(int id, std::string_view body, std::string& out);
  // The entry named `name`; nothing when the `response` that says why is in `out`.
  std::optional<LdapEntry> FindOrAnswer(int id, BerTag response, std::string_view name,
                                        std::string& out) const;
  void SearchRoot(int id, const SearchRequest& request, std::string& out) const;
  void SearchDomain(int id, const SearchRequest& request, std::string& out) const;
  void AppendEntry(int id, const LdapEntry& entry, const SearchRequest& request,
                   std::string& out) const;

  const LdapEntries& entries_;
  const Clock& clock_;
  const LdapBehaviour behaviour_;
  std::string identity_;  // "u:CORP\ada"; empty: anonymous.
};

}  // namespace devicetrust::simulator
