using System.Net;
using System.Net.Sockets;
using Quire.Samples.UdpRelay;
using Xunit;

namespace Quire.Tests.Samples;

/// <summary>A wrong call is answered by one line that says what and where, and status 2. The command has the ledger on while it runs.</summary>
[Collection(LedgerCollection.Name)]
public class UdpRelayArgumentsTests
{
    [Theory]
    [InlineData("", "'--listen'")]
    [InlineData("--listen 127.0.0.1:0", "'--upstream'")]
    [InlineData("--listen 127.0.0.1 --upstream 127.0.0.1:53", "--listen '127.0.0.1': no port; expected a colon and a number after '127.0.0.1'")]
    [InlineData("--listen 127.0.0.1:x --upstream 127.0.0.1:53", "--listen '127.0.0.1:x': port 'x' at character 11 is not a number from 0 to 65535")]
    [InlineData("--listen 127.0.0.1:70000 --upstream 127.0.0.1:53", "--listen '127.0.0.1:70000': port '70000' at character 11 is not a number from 0 to 65535")]
    [InlineData("--listen :53 --upstream 127.0.0.1:53", "--listen ':53': no host before the colon")]
    [InlineData("--listen ::1:53 --upstream 127.0.0.1:53", "--listen '::1:53': an IPv6 address goes in brackets, [ADDRESS]:PORT")]
    [InlineData("--listen [::1 --upstream 127.0.0.1:53", "--listen '[::1': the bracket at character 1 is not closed")]
    [InlineData("--listen [::1] --upstream 127.0.0.1:53", "--listen '[::1]': no port; expected a colon and a number after '[::1]'")]
    [InlineData("--listen [host]:1 --upstream 127.0.0.1:53", "--listen '[host]:1': 'host' between the brackets is not an IPv6 address")]
    [InlineData("--listen 127.0.0.1:0 --upstream 127.0.0.1:0", "--upstream '127.0.0.1:0': port '0' at character 11 is not a number from 1 to 65535")]
    [InlineData("--listen 127.0.0.1:0 --upstream 127.0.0.1:53 --upstream 127.0.0.1", "--upstream '127.0.0.1': no port; expected a colon and a number after '127.0.0.1'")]
    [InlineData("--listen 127.0.0.1:0 --upstream 0.0.0.0:53", "--upstream '0.0.0.0:53': that is every address, not one to send to")]
    [InlineData("--listen 127.0.0.1:5300 --upstream 127.0.0.1:5300", "--upstream '127.0.0.1:5300': that is where the relay itself listens")]
    [InlineData("--listen 0.0.0.0:5300 --upstream 127.0.0.1:5300", "--upstream '127.0.0.1:5300': that is where the relay itself listens")]
    [InlineData("--listen 127.0.0.1:0 --upstream 127.0.0.1:53 --idle 0", "--idle '0': not a number of seconds from 0.001 to 1000000")]
    [InlineData("--listen 127.0.0.1:0 --upstream 127.0.0.1:53 --stats soon", "--stats 'soon': not a number of seconds from 0.001 to 1000000")]
    [InlineData("--listen 127.0.0.1:0 --upstream 127.0.0.1:53 --memory 1", "--memory '1': not a whole number from 8 to 1048576")]
    [InlineData("--listen 127.0.0.1:0 --upstream 127.0.0.1:53 --queue -1", "--queue '-1': not a whole number from 1 to 16777216")]
    [InlineData("--listen 127.0.0.1:0 --upstream 127.0.0.1:53 --max-sessions 0", "--max-sessions '0': not a whole number from 1 to 1000000")]
    [InlineData("--listen 127.0.0.1:0 --upstream 127.0.0.1:53 --fast", "'--fast'")]
    public void A_wrong_argument_is_named_in_one_line(string arguments, string expected)
    {
        (int status, string output, string error) = Run(arguments.Split(' ', StringSplitOptions.RemoveEmptyEntries));
        Assert.Equal(2, status);
        Assert.Empty(output);
        string line = Assert.Single(error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.StartsWith("udp-relay: ", line, StringComparison.Ordinal);
        Assert.Contains(expected, line, StringComparison.Ordinal);
    }

    [Fact]
    public void An_address_that_cannot_be_had_is_named_in_one_line()
    {
        using Socket taken = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        taken.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        (int status, _, string error) = Run(["--listen", $"{taken.LocalEndPoint}", "--upstream", "127.0.0.1:9"]);
        Assert.Equal(2, status);
        Assert.StartsWith($"udp-relay: --listen '{taken.LocalEndPoint}': ", Assert.Single(error.Split('\n', StringSplitOptions.RemoveEmptyEntries)), StringComparison.Ordinal);
    }

    [Fact]
    public void A_host_without_an_address_is_named_in_one_line()
    {
        // Names under .invalid never resolve (RFC 2606).
        (int status, _, string error) = Run(["--listen", "127.0.0.1:0", "--upstream", "nowhere.invalid:53"]);
        Assert.Equal(2, status);
        Assert.StartsWith(
            "udp-relay: --upstream 'nowhere.invalid:53': the host name 'nowhere.invalid' has no address",
            Assert.Single(error.Split('\n', StringSplitOptions.RemoveEmptyEntries)),
            StringComparison.Ordinal);
    }

    [Fact]
    public void Help_names_every_option_and_ends_with_0()
    {
        (int status, string output, string error) = Run(["--help"]);
        Assert.Equal(0, status);
        Assert.Empty(error);
        Assert.All(
            ["--listen <HOST:PORT>", "--upstream <HOST:PORT>", "--idle <SECONDS>", "--stats <SECONDS>", "--max-sessions <COUNT>", "--queue <COUNT>", "--memory <MIB>"],
            option => Assert.Contains(option, output, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("192.0.2.1:53", "192.0.2.1", 53)]
    [InlineData("[2001:db8::1]:65535", "2001:db8::1", 65535)]
    [InlineData("dns.example:1", "dns.example", 1)]
    public void A_host_and_port_is_read_and_written_back(string text, string host, int port)
    {
        Assert.True(HostPort.TryParse(text, 1, out HostPort? value, out _));
        Assert.Equal(new HostPort(host, port), value);
        Assert.Equal(text, value!.ToString());
    }

    private static (int Status, string Output, string Error) Run(string[] arguments)
    {
        using StringWriter output = new();
        using StringWriter error = new();
        int status = RelayCommand.Run(arguments, output, error);
        return (status, output.ToString(), error.ToString());
    }
}
