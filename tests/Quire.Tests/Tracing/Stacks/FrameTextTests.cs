using System.Diagnostics;
using System.Reflection;
using System.Runtime.CompilerServices;
using Xunit;

namespace Quire.Tests.Tracing.Stacks;

/// <summary>How frames read.</summary>
public class FrameTextTests
{
    [Theory]
    [InlineData("Send", "Send")]
    [InlineData(".ctor", ".ctor")]
    [InlineData("<Send>d__4", "Send")]
    [InlineData("<Send>b__4_0", "Send.lambda1")]
    [InlineData("<Send>b__2", "Send.lambda3")]
    [InlineData("<Send>g__Retry|4_1", "Send.Retry")]
    [InlineData("<<Send>b__4_0>d", "Send.lambda1")]
    [InlineData("<<Send>g__Retry|4_1>d", "Send.Retry")]
    [InlineData("<<Send>g__Retry|4_1>b__2", "Send.Retry.lambda3")]
    [InlineData("<Main>$", "Main")]
    [InlineData("<<Main>$>g__Run|0_0", "Main.Run")]
    [InlineData("<.ctor>b__0_0", ".ctor.lambda1")]
    [InlineData("<>n__0", "n__0")]
    [InlineData("<broken", "<broken")]
    [InlineData("<a>b__", "a.lambda")]
    [InlineData("", "")]
    public void A_name_that_the_compiler_made_reads_as_the_users(string name, string text) => Assert.Equal(text, FrameText.Clean(name));

    [Fact]
    public void Types_and_methods_show_their_parameters_each_where_it_belongs()
    {
        Assert.Equal("Quire.Tests.Tracing.Stacks.FrameTextTests.Outer<T>.Inner<U,V>.Method<W>", Text(typeof(Outer<>.Inner<,>), "Method"));
        Assert.Equal("Quire.Tests.Tracing.Stacks.FrameTextTests.Outer<T>.Plain.Method", Text(typeof(Outer<>.Plain), "Method"));
        Assert.Equal("Quire.Tests.Tracing.Stacks.FrameTextTests.Outer<T>..ctor", FrameText.Of(new StackFrame(), typeof(Outer<>).GetConstructors()[0]));
        Assert.Equal("Quire.Tests.Tracing.Stacks.LocalToFile.Method", Text(typeof(LocalToFile), "Method"));
    }

    [Fact]
    public void A_text_has_no_white_space_whatever_the_method_is_called()
    {
        System.Reflection.Emit.AssemblyBuilder assembly = System.Reflection.Emit.AssemblyBuilder.DefineDynamicAssembly(new AssemblyName("spaced"), System.Reflection.Emit.AssemblyBuilderAccess.Run);
        System.Reflection.Emit.TypeBuilder type = assembly.DefineDynamicModule("m").DefineType("Has space", TypeAttributes.Public);
        type.DefineMethod("it works\twith\n0", MethodAttributes.Public | MethodAttributes.Static).GetILGenerator().Emit(System.Reflection.Emit.OpCodes.Ret);
        Assert.Equal("Has_space.it_works_with_0", FrameText.Of(new StackFrame(), type.CreateType().GetMethods()[0]));
    }

    [Fact]
    public void File_and_line_follow_the_method_and_the_folder_does_not() =>
        Assert.Matches(@"^Quire\.Tests\.Tracing\.Stacks\.FrameTextTests\.Here\(FrameTextTests\.cs:\d+\)$", Here());

    [Fact]
    public void A_method_without_metadata_says_so() => Assert.Equal("(dynamic)", FrameText.Of(new StackFrame(), null));

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.NoOptimization)]
    private static string Here()
    {
        StackFrame frame = new(0, needFileInfo: true);
        return FrameText.Of(frame, frame.GetMethod());
    }

    private static string Text(Type type, string method) => FrameText.Of(new StackFrame(), type.GetMethod(method));

    private sealed class Outer<T>
    {
        public sealed class Inner<U, V>
        {
            public static void Method<W>() => GC.KeepAlive((typeof(T), typeof(U), typeof(V), typeof(W)));
        }

        public sealed class Plain
        {
            public static void Method() => GC.KeepAlive(typeof(T));
        }
    }
}

file static class LocalToFile
{
    public static void Method()
    {
    }
}
