// The KDC's database: answers krb5kdc from the mapped account table, so that an account
// exists, is disabled or has a new password from the very next request on. Loaded into
// krb5kdc, which is C: no exception may leave a function here, and what is handed over is
// allocated as libkdb5 frees it, with malloc.
//
// There is no master key: the table is as secret as the run folder. A "key data" entry holds
// either a key or the recipe of one, and DecryptKeyData() makes the key of it. A password's
// key costs 3.6 ms (PBKDF2), so it is made when first needed and kept by its version.
#include <krb5.h>
extern "C" {
#include <kdb.h>
#include <profile.h>
}

#include <cstdlib>
#include <cstring>
#include <ctime>
#include <memory>
#include <string>

#include "libs/base/names.h"
#include "libs/kerberos/pac.h"
#include "simulator/forest/account_layout.h"
#include "simulator/forest/account_table.h"
#include "simulator/forest/kdb_keys.h"
#include "simulator/forest/logon_info.h"

namespace devicetrust::simulator {
namespace {

constexpr krb5_deltat kTicketSeconds = 10 * 3600;
constexpr krb5_deltat kRenewSeconds = 7 * 24 * 3600;
constexpr std::size_t kKeysMax = 3;  // Of one account.

// First byte of a key data entry.
constexpr char kRawKey = 'K';        // The rest is the key.
constexpr char kFromPassword = 'P';  // The rest is the principal, a NUL, the password.

struct Directory {
  AccountView accounts;
  std::uint32_t realm;  // Of this KDC realm: each has a module instance of its own.
  std::string realm_name;
  std::int64_t skew_seconds = 0;  // As `context` has it.
};

Directory& DirectoryOf(krb5_context context) {
  void* directory = nullptr;
  krb5_db_get_context(context, &directory);
  return *static_cast<Directory*>(directory);
}

// Runs `body` and turns whatever it throws into an error code.
template <typename Body>
krb5_error_code Guarded(Body body) noexcept {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    return ENOMEM;
  } catch (...) {
    return KRB5_KDB_INTERNAL_ERROR;
  }
}

krb5_error_code PrincipalName(krb5_context context, krb5_const_principal principal,
                              std::string& name) {
  char* text = nullptr;
  const krb5_error_code code = krb5_unparse_name(context, principal, &text);
  if (code != 0) return code;
  name = text;
  krb5_free_unparsed_name(context, text);
  return 0;
}

// By account name, or by UPN when the name is an enterprise name ([MS-KILE] 3.3.5.6.1).
std::optional<Row> FindRow(krb5_context context, krb5_const_principal principal) {
  const Directory& directory = DirectoryOf(context);
  const AccountView& accounts = directory.accounts;
  std::optional<std::uint32_t> slot;
  if (principal->type == KRB5_NT_ENTERPRISE_PRINCIPAL && principal->length == 1) {
    const std::string_view upn(principal->data[0].data, principal->data[0].length);
    slot = accounts.FindUpn(upn);
    const std::size_t at = upn.rfind('@');
    if (!slot && at != upn.npos && SameName(upn.substr(at + 1), directory.realm_name)) {
      slot = accounts.FindName(directory.realm, upn.substr(0, at));
    }
  } else {
    std::string name;
    if (PrincipalName(context, principal, name) == 0) slot = accounts.FindPrincipal(name);
  }
  return slot ? std::optional(accounts.Read(*slot)) : std::nullopt;
}

struct EntryFree {
  void operator()(krb5_db_entry* entry) const noexcept {
    krb5_context none = nullptr;
    krb5_free_principal(none, entry->princ);
    for (int i = 0; i < entry->n_key_data; ++i) {
      std::free(entry->key_data[i].key_data_contents[0]);
    }
    std::free(entry->key_data);
    std::free(entry);
  }
};
using EntryPtr = std::unique_ptr<krb5_db_entry, EntryFree>;

void AddKey(krb5_db_entry& entry, int enctype, std::uint32_t kvno, const std::string& contents) {
  krb5_key_data& key = entry.key_data[entry.n_key_data];
  key.key_data_contents[0] = static_cast<krb5_octet*>(Allocate(contents.size()));
  std::memcpy(key.key_data_contents[0], contents.data(), contents.size());
  key.key_data_length[0] = static_cast<krb5_ui_2>(contents.size());
  key.key_data_type[0] = static_cast<krb5_int16>(enctype);
  key.key_data_ver = 1;  // Without a salt of its own: the principal's.
  key.key_data_kvno = static_cast<krb5_ui_2>(kvno);
  ++entry.n_key_data;
}

krb5_flags AttributesOf(const Account& account) {
  krb5_flags attributes = 0;
  const bool person_or_computer =
      account.kind == AccountKind::kUser || account.kind == AccountKind::kComputer;
  attributes |= KRB5_KDB_REQUIRES_PRE_AUTH;
  if (person_or_computer) attributes |= KRB5_KDB_DISALLOW_SVR;
  if (account.has(kDisabled)) attributes |= KRB5_KDB_DISALLOW_ALL_TIX;
  if (account.has(kMustChangePassword)) attributes |= KRB5_KDB_REQUIRES_PWCHANGE;
  return attributes;
}

EntryPtr EntryOf(krb5_context context, const Account& account) {
  // Of the account and not of the request: the salt of its password hangs on the spelling.
  const std::string name =
      account.name.str() + "@" + DirectoryOf(context).accounts.realms()[account.realm].name.str();
  EntryPtr entry(static_cast<krb5_db_entry*>(Allocate(sizeof(krb5_db_entry))));
  entry->magic = KRB5_KDB_MAGIC_NUMBER;
  entry->len = KRB5_KDB_V1_BASE_LENGTH;
  entry->max_life = kTicketSeconds;
  entry->max_renewable_life = kRenewSeconds;
  entry->attributes = AttributesOf(account);
  entry->expiration = static_cast<krb5_timestamp>(account.expires);
  entry->pw_expiration = static_cast<krb5_timestamp>(account.password_expires);
  if (krb5_parse_name(context, name.c_str(), &entry->princ) != 0) throw std::bad_alloc();

  entry->key_data = static_cast<krb5_key_data*>(Allocate(kKeysMax * sizeof(krb5_key_data)));
  if (!account.password.empty()) {
    const std::string recipe = kFromPassword + name + '\0' + account.password.str();
    AddKey(*entry, ENCTYPE_AES256_CTS_HMAC_SHA1_96, account.kvno, recipe);
    AddKey(*entry, ENCTYPE_AES128_CTS_HMAC_SHA1_96, account.kvno, recipe);
  }
  const LogonKey key = LogonKeyOf(account);
  AddKey(*entry, key.enctype, account.kvno, kRawKey + std::string(key.key.begin(), key.key.end()));
  // Tickets are encrypted by the first key; the session keys that clients may have for a service
  // are of all types that it has a key of.
  if (account.kind == AccountKind::kService || account.kind == AccountKind::kTrust) {
    AddKey(*entry, ENCTYPE_AES128_CTS_HMAC_SHA1_96, account.kvno,
           kRawKey + std::string(key.key.begin(), key.key.begin() + 16));
  }
  return entry;
}

std::string_view View(const krb5_data& data) { return {data.data, data.length}; }

bool IsTicketGranting(krb5_const_principal principal) {
  return principal->length == 2 && View(principal->data[0]) == "krbtgt";
}

// The clock of the forest: what krb5kdc asks for the time from now on is as much ahead.
void SetClock(krb5_context context) {
  Directory& directory = DirectoryOf(context);
  const std::int64_t skew = directory.accounts.ClockSkewSeconds(directory.realm);
  if (skew == directory.skew_seconds) return;
  const auto now = static_cast<std::int64_t>(std::time(nullptr));
  if (krb5_set_real_time(context, static_cast<krb5_timestamp>(now + skew), 0) == 0) {
    directory.skew_seconds = skew;
  }
}

// For a service of another realm, the way there: the ticket-granting service that is next on it.
EntryPtr Referral(krb5_context context, krb5_const_principal service) {
  const Directory& directory = DirectoryOf(context);
  const AccountView& accounts = directory.accounts;
  if (service->length < 2) return nullptr;
  const std::string_view host = View(service->data[1]);
  const std::optional<std::uint32_t> target =
      IsTicketGranting(service) ? accounts.FindRealm(host) : accounts.RealmOfHost(host);
  if (!target) return nullptr;
  const std::optional<std::uint32_t> next = accounts.NextHop(directory.realm, *target);
  if (!next) return nullptr;
  const std::optional<std::uint32_t> slot =
      accounts.FindName(directory.realm, "krbtgt/" + accounts.realms()[*next].name.str());
  return slot ? EntryOf(context, accounts.Read(*slot).account) : nullptr;
}

// For somebody of another realm, which one: a name alone ([MS-KILE] 3.3.5.6.1).
EntryPtr ClientReferral(krb5_context context, krb5_const_principal client, std::uint32_t home) {
  const Directory& directory = DirectoryOf(context);
  const AccountView& accounts = directory.accounts;
  const bool same_forest =
      accounts.realms()[home].forest == accounts.realms()[directory.realm].forest;
  if (!same_forest && !accounts.NextHop(home, directory.realm)) return nullptr;
  EntryPtr entry(static_cast<krb5_db_entry*>(Allocate(sizeof(krb5_db_entry))));
  if (krb5_copy_principal(context, client, &entry->princ) != 0 ||
      krb5_set_principal_realm(context, entry->princ, accounts.realms()[home].name.str().c_str()) !=
          0) {
    throw std::bad_alloc();
  }
  return entry;
}

krb5_error_code GetPrincipal(krb5_context context, krb5_const_principal principal, unsigned flags,
                             krb5_db_entry** out) noexcept {
  return Guarded([&]() -> krb5_error_code {
    SetClock(context);
    const std::optional<Row> row = FindRow(context, principal);
    // Another realm's accounts are its own KDC's business, but for the trusts between them.
    const bool here = row && (row->account.realm == DirectoryOf(context).realm ||
                              row->account.kind == AccountKind::kTrust);
    EntryPtr entry;
    if (here) {
      entry = EntryOf(context, row->account);
    } else if ((flags & KRB5_KDB_FLAG_REFERRAL_OK) == 0) {
      return KRB5_KDB_NOENTRY;
    } else if ((flags & KRB5_KDB_FLAG_CLIENT) == 0) {
      entry = Referral(context, principal);
    } else if (row && principal->type == KRB5_NT_ENTERPRISE_PRINCIPAL) {
      entry = ClientReferral(context, principal, row->account.realm);
    }
    if (!entry) return KRB5_KDB_NOENTRY;
    *out = entry.release();
    return 0;
  });
}

// ---- Keys

krb5_error_code DecryptKeyData(krb5_context context, const krb5_keyblock* /*master*/,
                               const krb5_key_data* data, krb5_keyblock* out,
                               krb5_keysalt* salt) noexcept {
  return Guarded([&]() -> krb5_error_code {
    static PasswordKeys password_keys;
    if (salt != nullptr) *salt = {};
    const std::string contents(data->key_data_contents[0],
                               data->key_data_contents[0] + data->key_data_length[0]);
    const int enctype = data->key_data_type[0];
    if (contents.empty()) return KRB5_KDB_INTERNAL_ERROR;
    if (contents[0] == kRawKey) {
      return SetKey(*out, enctype, contents.data() + 1, contents.size() - 1);
    }
    const std::size_t end = contents.find('\0');
    if (contents[0] != kFromPassword || end == std::string::npos) return KRB5_KDB_INTERNAL_ERROR;
    return password_keys.Get(context, enctype, data->key_data_kvno, contents.substr(1, end - 1),
                             contents.substr(end + 1), *out);
  });
}

// krb5kdc wants a master key before it starts, and never uses this one.
krb5_error_code FetchMasterKey(krb5_context /*context*/, krb5_principal /*name*/,
                               krb5_keyblock* key, krb5_kvno* kvno, char* /*arguments*/) noexcept {
  return Guarded([&] {
    const std::string zeros(32, '\0');
    *kvno = 1;
    return SetKey(*key, ENCTYPE_AES256_CTS_HMAC_SHA1_96, zeros.data(), zeros.size());
  });
}

krb5_error_code FetchMasterKeyList(krb5_context context, krb5_principal /*name*/,
                                   const krb5_keyblock* key, krb5_keylist_node** list) noexcept {
  return Guarded([&]() -> krb5_error_code {
    auto* node = static_cast<krb5_keylist_node*>(Allocate(sizeof(krb5_keylist_node)));
    node->kvno = 1;
    const krb5_error_code code = krb5_copy_keyblock_contents(context, key, &node->keyblock);
    if (code != 0) {
      std::free(node);
      return code;
    }
    *list = node;
    return 0;
  });
}

// ---- Policy

// Account state that MIT has no attribute for.
krb5_error_code CheckPolicyAs(krb5_context context, krb5_kdc_req* /*request*/,
                              krb5_db_entry* client, krb5_db_entry* /*server*/, krb5_timestamp now,
                              const char** status, krb5_pa_data*** /*e_data*/) noexcept {
  return Guarded([&]() -> krb5_error_code {
    const std::optional<Row> row = FindRow(context, client->princ);
    if (!row) return 0;
    if (row->account.IsLocked(now)) {
      *status = "ACCOUNT_LOCKED";
      return KRB5KDC_ERR_CLIENT_REVOKED;
    }
    if (row->account.MayLogOnAt(now)) return 0;
    *status = "OUTSIDE_LOGON_HOURS";
    return KRB5KDC_ERR_CLIENT_REVOKED;
  });
}

// What has become of an account since its ticket-granting ticket: MIT itself does not look. Each
// state with the error that Active Directory gives for it.
krb5_error_code CheckPolicyTgs(krb5_context context, krb5_kdc_req* /*request*/,
                               krb5_db_entry* /*server*/, krb5_ticket* ticket, const char** status,
                               krb5_pa_data*** /*e_data*/) noexcept {
  return Guarded([&]() -> krb5_error_code {
    const Directory& directory = DirectoryOf(context);
    const std::string_view home = View(ticket->enc_part2->client->realm);
    const std::string_view issuer = View(ticket->server->realm);
    if (issuer != directory.realm_name) {
      const AccountView& accounts = directory.accounts;
      const std::optional<std::uint32_t> peer = accounts.FindRealm(issuer);
      const std::optional<std::uint32_t> of = accounts.FindRealm(home);
      if (!peer || !of || !accounts.MayVouch(directory.realm, *peer, *of)) {
        *status = "REALM_NOT_TRUSTED_FOR_CLIENT";
        return KRB5KDC_ERR_POLICY;
      }
    }
    if (home != directory.realm_name) return 0;
    const std::optional<Row> row = FindRow(context, ticket->enc_part2->client);
    krb5_timestamp now = 0;
    if (const krb5_error_code code = krb5_timeofday(context, &now); code != 0) return code;
    *status = "ACCOUNT_REVOKED_SINCE_TGT";
    if (!row || row->account.has(kDisabled)) return KRB5KDC_ERR_CLIENT_REVOKED;
    if (row->account.IsLocked(now)) return KRB5KDC_ERR_CLIENT_REVOKED;
    if (row->account.HasExpired(now)) return KRB5KDC_ERR_NAME_EXP;
    *status = nullptr;
    return 0;
  });
}

// By the trusts there are now: what was on its way when one ended, does not arrive.
krb5_error_code CheckTransitedRealms(krb5_context context, const krb5_data* /*transited*/,
                                     const krb5_data* client, const krb5_data* server) noexcept {
  return Guarded([&]() -> krb5_error_code {
    const AccountView& accounts = DirectoryOf(context).accounts;
    const std::optional<std::uint32_t> from = accounts.FindRealm(View(*client));
    const std::optional<std::uint32_t> to = accounts.FindRealm(View(*server));
    if (!from || !to) return KRB5KRB_AP_ERR_ILL_CR_TKT;
    return accounts.Reaches(*from, *to) ? 0 : KRB5KRB_AP_ERR_ILL_CR_TKT;
  });
}

// ---- PAC

krb5_error_code AddLogonInfo(krb5_context context, const Bytes& bytes, krb5_pac pac) {
  krb5_data data{};
  data.data = reinterpret_cast<char*>(const_cast<std::uint8_t*>(bytes.data()));
  data.length = static_cast<unsigned>(bytes.size());
  return krb5_pac_add_buffer(context, pac, KRB5_PAC_LOGON_INFO, &data);
}

// Of a ticket-granting ticket that somebody comes with, for the ticket that they get.
krb5_error_code CopyPac(krb5_context context, bool from_abroad, const krb5_db_entry* server,
                        const krb5_db_entry* krbtgt, krb5_pac old_pac, krb5_pac new_pac) {
  const Directory& directory = DirectoryOf(context);
  krb5_data data{};
  if (krb5_pac_get_buffer(context, old_pac, KRB5_PAC_LOGON_INFO, &data) != 0) {
    return from_abroad ? KRB5KDC_ERR_POLICY : 0;
  }
  const Bytes bytes(data.data, data.data + data.length);
  krb5_free_data_contents(context, &data);
  absl::StatusOr<kerberos::LogonInfo> info = kerberos::DecodeLogonInfo(bytes);
  if (!info.ok()) return KRB5KDC_ERR_POLICY;
  if (from_abroad) {
    const std::optional<std::uint32_t> peer =
        krbtgt == nullptr ? std::nullopt : directory.accounts.FindRealm(View(krbtgt->princ->realm));
    if (!peer || !FilterSids(directory.accounts, directory.realm, *peer, *info))
      return KRB5KDC_ERR_POLICY;
  }
  if (!IsTicketGranting(server->princ)) AddLocalGroups(directory.accounts, directory.realm, *info);
  return AddLogonInfo(context, kerberos::EncodeLogonInfo(*info), new_pac);
}

krb5_error_code IssuePac(krb5_context context, unsigned flags, krb5_db_entry* client,
                         krb5_keyblock* /*replaced_reply_key*/, krb5_db_entry* server,
                         krb5_db_entry* krbtgt, krb5_timestamp auth_time, krb5_pac old_pac,
                         krb5_pac new_pac, krb5_data*** /*indicators*/) noexcept {
  return Guarded([&]() -> krb5_error_code {
    const bool from_abroad = (flags & KRB5_KDB_FLAG_CROSS_REALM) != 0;
    if (old_pac != nullptr) return CopyPac(context, from_abroad, server, krbtgt, old_pac, new_pac);
    if (from_abroad) return KRB5KDC_ERR_POLICY;
    if (client == nullptr) return 0;
    const std::optional<Row> row = FindRow(context, client->princ);
    if (!row) return 0;
    const bool by_service = (flags & KRB5_KDB_FLAG_PROTOCOL_TRANSITION) != 0;
    const Directory& directory = DirectoryOf(context);
    kerberos::LogonInfo info =
        LogonInfoOf(directory.accounts, *row, static_cast<std::uint32_t>(auth_time), by_service);
    if (!IsTicketGranting(server->princ)) {
      AddLocalGroups(directory.accounts, directory.realm, info);
    }
    return AddLogonInfo(context, kerberos::EncodeLogonInfo(info), new_pac);
  });
}

// ---- Module

krb5_error_code NothingToDo() noexcept { return 0; }

krb5_error_code Refuse(krb5_context context, const std::string& message) {
  krb5_set_error_message(context, KRB5_KDB_DBNOTINITED, "%s", message.c_str());
  return KRB5_KDB_DBNOTINITED;
}

std::string ConfiguredTable(krb5_context context, const char* section) {
  std::string path;
  profile_t profile = nullptr;
  char* value = nullptr;
  if (krb5_get_profile(context, &profile) != 0) return path;
  if (profile_get_string(profile, "dbmodules", section, "table", "", &value) == 0) path = value;
  profile_release_string(value);
  profile_release(profile);
  return path;
}

// Once per realm. `table` in the module's section of [dbmodules] names the file.
krb5_error_code InitModule(krb5_context context, char* section, char** /*arguments*/,
                           int /*mode*/) noexcept {
  return Guarded([&]() -> krb5_error_code {
    absl::StatusOr<AccountView> accounts = AccountView::Open(ConfiguredTable(context, section));
    if (!accounts.ok()) return Refuse(context, std::string(accounts.status().message()));
    char* realm_text = nullptr;
    if (const krb5_error_code code = krb5_get_default_realm(context, &realm_text); code != 0) {
      return code;
    }
    const std::string realm = realm_text;
    krb5_free_default_realm(context, realm_text);
    const std::optional<std::uint32_t> index = accounts->FindRealm(realm);
    if (!index) return Refuse(context, "the account table has no realm " + realm);
    return krb5_db_set_context(context, new Directory{*std::move(accounts), *index, realm});
  });
}

krb5_error_code FiniModule(krb5_context context) noexcept {
  void* directory = nullptr;
  krb5_db_get_context(context, &directory);
  delete static_cast<Directory*>(directory);
  return krb5_db_set_context(context, nullptr);
}

kdb_vftabl MakeFunctionTable() {
  kdb_vftabl table{};
  table.maj_ver = KRB5_KDB_DAL_MAJOR_VERSION;
  table.init_library = NothingToDo;
  table.fini_library = NothingToDo;
  table.init_module = InitModule;
  table.fini_module = FiniModule;
  table.get_principal = GetPrincipal;
  table.fetch_master_key = FetchMasterKey;
  table.fetch_master_key_list = FetchMasterKeyList;
  table.decrypt_key_data = DecryptKeyData;
  table.check_policy_as = CheckPolicyAs;
  table.check_policy_tgs = CheckPolicyTgs;
  table.check_transited_realms = CheckTransitedRealms;
  table.issue_pac = IssuePac;
  return table;
}

}  // namespace
}  // namespace devicetrust::simulator

// What libkdb5 looks up by name.
extern "C" {
extern __attribute__((visibility("default"))) kdb_vftabl kdb_function_table;
kdb_vftabl kdb_function_table = devicetrust::simulator::MakeFunctionTable();
}
