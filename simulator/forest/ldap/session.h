// One client's conversation: LDAP messages in, LDAP messages out. No sockets here.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>
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

// What a domain controller that is ill makes of a search with pages.
enum class LdapFault {
  kNone,
  kPagesForEver,      // Never the last page, and no entry in any.
  kReferralsForEver,  // The same, each page full of continuations (RFC 4511, 4.5.3).
  kReferredAway,      // Result "referral", to itself.
  kHalfPage,          // The connection ends in the middle of the second page.
  kErrorMidway,       // "busy" instead of the second page.
  kNobody,            // Success, and no entry: what a reader without the right to read is told.
};

struct LdapBehaviour {
  // RFC 4513, 5.1.2: a simple bind with a name and an empty password. Refused (53), as
  // the RFC wants it, or answered "success" as Active Directory does: clients must not
  // fall for it.
  bool accept_unauthenticated_bind = false;
  // Values of one attribute in one answer; more have to be asked for by range ([MS-ADTS]
  // 3.1.1.3.1.3.3).
  std::size_t values_max = 1500;
  // Whether whoever asks may see what is deleted: in Active Directory administrators, and whom they
  // let list the container.
  bool shows_deleted = true;
  std::shared_ptr<std::atomic<LdapFault>> fault = {};  // None: it is well.
};

// Answers as a domain controller of Active Directory would, over TLS: LDAPv3 with simple
// binds (UPN, DOMAIN\name or DN), search in pages (RFC 2696) and with what is deleted, compare, Who
// Am I? (RFC 4532) and abandon. Read only.
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
  struct Paging {
    int size = 0;
    std::string cookie;
  };
  struct Controls {
    std::string unsupported;  // OID of a critical one that is not known here.
    std::optional<Paging> paging;
    bool show_deleted = false;
  };

  static absl::StatusOr<Controls> ParseControls(std::string_view list, bool of_search);
  absl::StatusOr<bool> Dispatch(std::string_view content, std::string& out);
  // Errors: kInvalidArgument, nothing in `out`: the request is malformed.
  absl::Status Answer(int id, const BerItem& request, std::string& out);
  absl::Status Bind(int id, std::string_view body, std::string& out);
  // The "data" of the refusal, in AD's numbers; empty: the password is right.
  std::string_view CheckPassword(std::string_view name, std::string_view password);
  // False: the connection is to end.
  absl::StatusOr<bool> Search(int id, std::string_view body, const Controls& controls,
                              std::string& out);
  // The same of a search with pages by a directory that is ill.
  bool SearchIll(int id, const SearchRequest& request, LdapFault fault, std::string& out) const;
  absl::Status Extended(int id, std::string_view body, std::string& out);
  absl::Status Compare(int id, std::string_view body, std::string& out);
  // The entry named `name`; nothing when the `response` that says why is in `out`.
  std::optional<LdapEntry> FindOrAnswer(int id, BerTag response, std::string_view name,
                                        std::string& out) const;
  void SearchRoot(int id, const SearchRequest& request, std::string& out) const;
  void SearchService(int id, const SearchRequest& request, std::string& out) const;
  void SearchDeletedContainer(int id, const SearchRequest& request, bool asks_for_deleted,
                              std::string& out) const;
  void SearchDomain(int id, const SearchRequest& request, std::string& out) const;
  void SendEntries(int id, const SearchRequest& request, const LdapEntry& base, LdapPosition after,
                   std::string& out) const;
  // The end of a search, with the cookie of a page.
  static void AnswerPage(int id, const SearchRequest& request, int code, std::string_view cookie,
                         std::string& out);
  void AppendEntry(int id, const LdapEntry& entry, const SearchRequest& request,
                   std::string& out) const;
  void AppendValues(const LdapEntry& entry, LdapAttribute attribute, const SearchRequest& request,
                    BerWriter& writer) const;

  const LdapEntries& entries_;
  const Clock& clock_;
  const LdapBehaviour behaviour_;
  std::string identity_;  // "u:CORP\ada"; empty: anonymous.
};

}  // namespace devicetrust::simulator
