// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Hides credentials in heads and paths, so that a row can be shown, stored or pasted.
 * By name only: a secret under an innocent name, or in a path segment, is not recognized. */
#pragma once

#include "base/buf.h"

/* The names that are secret, of header fields and of query parameters, whatever the case:
 * - that contain: token, password, passwd, passphrase, pwd, secret, signature, credential,
 *   session, cookie, jwt;
 * - that contain key, but not as keyword; auth, but not as author, unless authori (authorization);
 *   sig, but not before a letter (design, signal);
 * - that are: code, pass, sid;
 * - that are longer than 255 bytes.
 * Not: www-authenticate, proxy-authenticate (challenges), access-control-allow-credentials (a
 * switch). */
bool secret_name(struct text name);

/* Appends path with the secrets replaced by "***":
 * - the value of each parameter with a secret name; a parameter starts behind ? & ; or # and its
 *   value ends at & or the end. Names and separators are also recognized percent-encoded (once),
 *   which covers a URL that is itself the value of a parameter;
 * - userinfo: what stands before an @ behind "://" or, in a target that does not start with "/",
 *   at its start.
 * A path may be cut off anywhere. False: there is nothing to hide and out is untouched, so the path
 * itself can be shown. */
bool secret_mask_path(struct text path, struct buf *out);

/* Appends a head, up to and including its blank line or as far as it goes, with the secrets
 * replaced by "***": the whole value of each field with a secret name, continuation lines included,
 * and in the first line and all other fields what secret_mask_path hides. What follows the blank
 * line is a body and is left out. A head may be cut off anywhere; where the cut leaves open whether
 * a URL's host is userinfo, it is hidden. */
void secret_mask_head(struct text head, struct buf *out);
