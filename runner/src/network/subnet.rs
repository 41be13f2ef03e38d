//! Networks of addresses: which are free on this machine, and which addresses in one are.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A network of IPv4 addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Subnet {
    first: Ipv4Addr,
    prefix: u8,
}

/// Where networks are looked for that nobody chose: 256 of 256 addresses each.
const POOL: [u8; 2] = [10, 90];

impl Subnet {
    /// How many bits are the network's.
    #[must_use]
    pub fn prefix(self) -> u8 {
        self.prefix
    }

    /// The first address that can be given: the machine's own in it.
    #[must_use]
    pub fn gateway(self) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.first) + 1)
    }

    /// Whether some address is in both.
    pub(super) fn overlaps(self, other: Self) -> bool {
        let prefix = self.prefix.min(other.prefix);
        masked(self.first, prefix) == masked(other.first, prefix)
    }

    /// The lowest address for a container that is not among `taken`.
    pub(super) fn free_address(self, taken: &[Ipv4Addr]) -> Option<Ipv4Addr> {
        let first = u32::from(self.first);
        let last = first | !mask(self.prefix);
        // Before the first is the network itself, the first is the gateway, the last means all.
        (first + 2..last).map(Ipv4Addr::from).find(|address| !taken.contains(address))
    }

    /// The first of the pool that overlaps none of `taken`.
    pub(super) fn free(taken: &[Self]) -> Option<Self> {
        let [one, two] = POOL;
        (0..=u8::MAX)
            .map(|three| Self { first: Ipv4Addr::new(one, two, three, 0), prefix: 24 })
            .find(|subnet| !taken.iter().any(|taken| taken.overlaps(*subnet)))
    }

    /// Where `routes`, the kernel's `/proc/net/route`, lead, the route to everywhere left out.
    pub(super) fn of_routes(routes: &str) -> Vec<(String, Self)> {
        let subnet = |line: &str| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let number = |at: usize| u32::from_str_radix(fields.get(at)?, 16).ok().map(u32::swap_bytes);
            let (first, mask) = (number(1)?, number(7)?);
            let prefix = u8::try_from(mask.leading_ones()).ok()?;
            let device = (*fields.first()?).to_owned();
            (prefix > 0).then_some((device, Self { first: Ipv4Addr::from(first), prefix }))
        };
        routes.lines().skip(1).filter_map(subnet).collect()
    }
}

fn mask(prefix: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0)
}

fn masked(address: Ipv4Addr, prefix: u8) -> u32 {
    u32::from(address) & mask(prefix)
}

impl FromStr for Subnet {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("'{text}' is no subnet; subnets are written as 10.1.2.0/24, with 8 to 29 bits");
        let (address, prefix) = text.split_once('/').ok_or_else(wrong)?;
        let (address, prefix): (Ipv4Addr, u8) =
            (address.parse().map_err(|_| wrong())?, prefix.parse().map_err(|_| wrong())?);
        let is_whole = (8..=29).contains(&prefix) && masked(address, prefix) == u32::from(address);
        if is_whole { Ok(Self { first: address, prefix }) } else { Err(wrong()) }
    }
}

impl TryFrom<String> for Subnet {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Subnet> for String {
    fn from(subnet: Subnet) -> Self {
        subnet.to_string()
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subnet(text: &str) -> Subnet {
        text.parse().unwrap()
    }

    #[test]
    fn what_is_no_whole_subnet_is_refused() {
        for text in ["", "10.0.0.0", "10.0.0.1/24", "10.0.0.0/30", "10.0.0.0/7", "fd00::/64", "10.0.0.0/x"] {
            assert!(text.parse::<Subnet>().is_err(), "{text}");
        }
        assert_eq!(subnet("172.20.0.0/16").to_string(), "172.20.0.0/16");
    }

    #[test]
    fn addresses_are_given_from_the_lowest_and_never_the_gateways_or_the_last() {
        let small = subnet("10.0.0.0/29");
        assert_eq!(small.gateway(), Ipv4Addr::new(10, 0, 0, 1));
        let mut taken = Vec::new();
        while let Some(address) = small.free_address(&taken) {
            taken.push(address);
        }
        assert_eq!(taken, [2, 3, 4, 5, 6].map(|last| Ipv4Addr::new(10, 0, 0, last)));
    }

    #[test]
    fn a_free_subnet_is_one_that_no_route_leads_to() {
        assert_eq!(Subnet::free(&[]), Some(subnet("10.90.0.0/24")));
        assert_eq!(Subnet::free(&[subnet("10.90.0.0/23")]), Some(subnet("10.90.2.0/24")));
        assert_eq!(Subnet::free(&[subnet("10.0.0.0/8")]), None);
    }

    #[test]
    fn routes_are_read_as_the_kernel_writes_them() {
        let routes = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\n\
                      eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\n\
                      eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\n";
        assert_eq!(Subnet::of_routes(routes), [("eth0".to_owned(), subnet("192.0.2.0/24"))]);
    }
}
