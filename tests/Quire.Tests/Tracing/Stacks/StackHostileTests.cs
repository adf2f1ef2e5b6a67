using Xunit;

namespace Quire.Tests.Tracing.Stacks;

/// <summary>Nothing on a stack can crash a capture, or make it tell of a stack that was not there. The scenes run in a process of their own, where a crash is a failed test.</summary>
public class StackHostileTests
{
    // More compilations, earlier; every loop replaced while it runs; small generations, so that collections come all the time.
    private const string Tiering = "DOTNET_TC_CallCountThreshold=2 DOTNET_TC_CallCountingDelayMs=0 DOTNET_TC_BackEdgeThreshold=1 DOTNET_OSR_HitLimit=1 DOTNET_TC_OnStackReplacement_InitialCounter=2";

    [Theory]
    [InlineData("")]
    [InlineData(Tiering)]
    [InlineData("DOTNET_TieredCompilation=0 DOTNET_ReadyToRun=0 DOTNET_GCgen0size=40000")]
    public void Whatever_a_stack_holds_captures_are_right_and_nothing_crashes(string settings)
    {
        Assert.SkipUnless(StackCapture.IsAvailable, StackCapture.WhyNot);
        (int status, string output) = Run(settings, typeof(StackScenes));
        Assert.True(status == 0 && output.Contains(" Failed: 0,", StringComparison.Ordinal) && !output.Contains("Total: 0,", StringComparison.Ordinal), $"{settings}: status {status}\n{output}");
    }

    [Fact]
    public void A_variable_turns_stacks_off()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "runs with env");
        (int status, string output) = Run("QUIRE_STACKS=0", typeof(StacksOffScenes));
        Assert.True(status == 0 && output.Contains(" Failed: 0,", StringComparison.Ordinal) && !output.Contains("Total: 0,", StringComparison.Ordinal), output);
    }

    private static (int Status, string Output) Run(string settings, Type scenes)
    {
        string dotnet = Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet";
        string program = Path.Combine(AppContext.BaseDirectory, typeof(StackHostileTests).Assembly.GetName().Name + ".dll");
        string env = ChildProcess.Find("env") ?? "/usr/bin/env";
        using ChildProcess child = new(env, [.. settings.Split(' ', StringSplitOptions.RemoveEmptyEntries), $"DOTNET_STARTUP_HOOKS={program}", $"{SceneRunner.Variable}={scenes.FullName}", dotnet, program]);
        int status = child.WaitForExit(TimeSpan.FromSeconds(120));
        return (status, child.Output + child.Error);
    }
}

/// <summary>Run by <see cref="StackHostileTests"/>, in a process with <c>QUIRE_STACKS=0</c>.</summary>
internal static class StacksOffScenes
{
    public static void Without_stacks_a_capture_answers_zero_and_says_why()
    {
        Assert.False(StackCapture.IsAvailable);
        Assert.Contains("QUIRE_STACKS=0", StackCapture.WhyNot, StringComparison.Ordinal);
        Assert.Equal(0u, StackCapture.Take(1));
        Assert.Equal(0, StackDepot.Count);
    }
}
