using Xunit;

namespace Quire.Tests.Tracing.Control;

/// <summary>An application without tracing is told so where it asks for it, and works otherwise. (That the code is really gone is measured: <c>benchmarks -- compare --row tracing-off</c>.)</summary>
public sealed class SwitchedAwayTests : IDisposable
{
    private readonly string _configuration = Path.Combine(Path.GetTempPath(), $"quire-{Guid.NewGuid():n}.runtimeconfig.json");

    [Theory]
    [InlineData("Quire.Cli.dll", "demo", "--seconds", "1")]
    [InlineData("Quire.Cli.dll", "demo", "--seconds", "1", "--record", "unused.qring")]
    public void Who_asks_for_holders_or_a_recording_is_told_the_switch_in_one_line(string program, params string[] arguments)
    {
        using ChildProcess demo = Run(program, arguments);
        Assert.Equal(2, demo.WaitForExit(TimeSpan.FromSeconds(60)));
        Assert.Contains("Quire.Tracing.IsSupported is false", Assert.Single(demo.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries)), StringComparison.Ordinal);
        Assert.False(File.Exists("unused.qring"));
    }

    [Fact]
    public void Everything_else_works_without_tracing()
    {
        using ChildProcess relay = Run("UdpRelay.dll", "--listen", "127.0.0.1:0", "--upstream", "127.0.0.1:9");
        Assert.True(Trial.Eventually(() => relay.Output.Length + relay.Error.Length > 0 || relay.HasExited), "The relay says nothing.");
        Assert.False(relay.HasExited, relay.Output + relay.Error);

        // It says where it listens before it listens to signals.
        Thread.Sleep(500);
        relay.Signal(ChildProcess.Interrupt);
        int status = relay.WaitForExit(TimeSpan.FromSeconds(60));
        Assert.True(status == 0, relay.Output + relay.Error);
    }

    public void Dispose() => File.Delete(_configuration);

    private ChildProcess Run(string program, params string[] arguments)
    {
        string path = Path.Combine(AppContext.BaseDirectory, program);
        string configuration = File.ReadAllText(Path.ChangeExtension(path, ".runtimeconfig.json"));
        File.WriteAllText(_configuration, configuration.Replace("\"configProperties\": {", "\"configProperties\": { \"Quire.Tracing.IsSupported\": false,", StringComparison.Ordinal));
        return new ChildProcess("dotnet", ["exec", "--runtimeconfig", _configuration, "--depsfile", Path.ChangeExtension(path, ".deps.json"), path, .. arguments]);
    }
}
