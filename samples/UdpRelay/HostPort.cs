using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Quire.Samples.UdpRelay;

/// <summary><c>HOST:PORT</c> as it was written: <c>192.0.2.1:53</c>, <c>[2001:db8::1]:53</c> or <c>name:53</c>.</summary>
internal sealed record HostPort(string Host, int Port)
{
    /// <summary>Reads <paramref name="text"/>; when it cannot, <paramref name="problem"/> says what is wrong and where.</summary>
    internal static bool TryParse(string text, int leastPort, out HostPort? value, out string problem)
    {
        value = null;
        problem = "";
        string host;
        int colon;
        if (text.StartsWith('['))
        {
            int close = text.IndexOf(']', StringComparison.Ordinal);
            if (close < 0)
            {
                problem = "the bracket at character 1 is not closed";
                return false;
            }

            host = text[1..close];
            colon = close + 1;
            if (!IPAddress.TryParse(host, out IPAddress? address) || address.AddressFamily != AddressFamily.InterNetworkV6)
            {
                problem = $"'{host}' between the brackets is not an IPv6 address";
                return false;
            }
        }
        else
        {
            colon = text.IndexOf(':', StringComparison.Ordinal);
            if (colon >= 0 && text.IndexOf(':', colon + 1) >= 0)
            {
                problem = "an IPv6 address goes in brackets, [ADDRESS]:PORT";
                return false;
            }

            host = colon < 0 ? text : text[..colon];
        }

        if (host.Length == 0)
        {
            problem = "no host before the colon";
            return false;
        }

        if (colon < 0 || colon >= text.Length || text[colon] != ':')
        {
            problem = $"no port; expected a colon and a number after '{text[..(colon < 0 ? text.Length : colon)]}'";
            return false;
        }

        string number = text[(colon + 1)..];
        if (!int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out int port) || port < leastPort || port > IPEndPoint.MaxPort)
        {
            problem = $"port '{number}' at character {colon + 2} is not a number from {leastPort} to {IPEndPoint.MaxPort}";
            return false;
        }

        value = new HostPort(host, port);
        return true;
    }

    /// <summary>The first address of the host. Throws <see cref="SocketException"/> when it has none.</summary>
    internal IPEndPoint Resolve()
    {
        if (IPAddress.TryParse(Host, out IPAddress? address))
        {
            return new IPEndPoint(address, Port);
        }

        IPAddress[] addresses = Dns.GetHostAddresses(Host);
        return addresses.Length == 0 ? throw new SocketException((int)SocketError.HostNotFound) : new IPEndPoint(addresses[0], Port);
    }

    public override string ToString() => Host.Contains(':', StringComparison.Ordinal) ? $"[{Host}]:{Port}" : $"{Host}:{Port}";
}
