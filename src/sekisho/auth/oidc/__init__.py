"""Bearer tokens of an identity provider.

`provider` asks it by HTTP, bounded in every direction; `keys` keeps its public keys;
`jwt` reads a token with them, `introspection` shows a token to the provider; `claims`
makes an account of what either found; `authenticator` puts them together.

What could not be found out is unavailable, never a refusal and never a yes; what a
token says of itself (an algorithm, a key, an address of keys) is not believed.
"""
