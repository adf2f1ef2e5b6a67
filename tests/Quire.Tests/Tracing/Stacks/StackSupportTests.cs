using Xunit;
using Machine = System.Runtime.InteropServices.Architecture;

namespace Quire.Tests.Tracing.Stacks;

/// <summary>Where stacks can't be taken, and what is said there.</summary>
public class StackSupportTests
{
    [Fact]
    public unsafe void Refused_executable_memory_is_said_and_not_fatal()
    {
        StackSupport support = new(isEnabled: true, Machine.X64, (_, _) => false);
        Assert.False(support.IsAvailable);
        Assert.True(support.ReadFramePointer == null);
        Assert.Equal(StackSupport.Current.IsAvailable, support.WhyNot == "The system refuses executable memory, so the frame register can't be read.");
    }

    [Fact]
    public void Other_architectures_and_a_switch_that_is_off_are_said()
    {
        StackSupport off = new(isEnabled: false, Machine.X64, Never);
        Assert.False(off.IsAvailable);
        Assert.Equal("Stacks are switched off by the Quire.Tracing.Stacks.IsSupported switch or by QUIRE_STACKS=0.", off.WhyNot);
        StackSupport arm = new(isEnabled: true, Machine.Arm64, Never);
        Assert.False(arm.IsAvailable);
        Assert.Equal(OperatingSystem.IsLinux() ? "Stacks are read on x64 only, not on Arm64." : "Stacks are read on Linux only.", arm.WhyNot);
    }

    [Fact]
    public void Available_and_a_reason_why_not_exclude_each_other() => Assert.Equal(StackCapture.IsAvailable, StackCapture.WhyNot.Length == 0);

    private static bool Never(nint page, nuint bytes) => throw new InvalidOperationException("Nothing may be mapped here.");
}
